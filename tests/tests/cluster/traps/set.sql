-- Functions that set traps in schema x: functions and operators that raise an error when they are called.
--
-- workshop.taken has what the extension's scripts create there (kind, name, types). None of that is set: the script would
-- fail.

-- A type's name; `stand_in` in place of a polymorphic one, and of bytea and bit strings if it is one of the extension's. NULL
-- where nobody but a superuser can make a function of the type.
CREATE FUNCTION workshop.spelled(type oid, stand_in text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN typname IN ('any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray') THEN stand_in
        WHEN typname IN ('anyarray', 'anycompatiblearray') THEN stand_in || '[]'
        WHEN typname IN ('bytea', 'bit', 'varbit') AND stand_in ~ '^x\.' THEN stand_in
        WHEN typtype <> 'p' THEN format_type(type, NULL)
    END FROM pg_type WHERE oid = type
$$;

CREATE FUNCTION workshop.is_free(kind text, name text, types text[]) RETURNS boolean LANGUAGE sql AS $$
    SELECT array_position(types, NULL) IS NULL AND NOT EXISTS (
        SELECT FROM workshop.taken AS k WHERE (k.kind, k.name, k.types) = (is_free.kind, is_free.name, is_free.types))
$$;

CREATE FUNCTION workshop.set_function(name text, types text[], result text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF workshop.is_free('function', name, types) THEN
        EXECUTE format('CREATE FUNCTION x.%I(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS %L',
            name, array_to_string(types, ', '), coalesce(result, 'integer'),
            format($f$BEGIN RAISE WARNING 'trap %% was called', %L; RAISE EXCEPTION 'trapped'; END$f$, name || types::text));
    END IF;
EXCEPTION WHEN duplicate_function THEN NULL;
END $$;

CREATE FUNCTION workshop.set_operator(name text, types text[], result text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    trap text := 'trap_' || md5(name || types::text);
BEGIN
    IF workshop.is_free('operator', name, types) THEN
        PERFORM workshop.set_function(trap, types, result);
        EXECUTE format('CREATE OPERATOR x.%s (%s RIGHTARG = %s, FUNCTION = x.%I)', name,
            'LEFTARG = ' || (types[cardinality(types) - 1]) || ',', types[cardinality(types)], trap);
    END IF;
EXCEPTION WHEN duplicate_function THEN NULL;
END $$;

-- Sets traps of the names and signatures of all of PostgreSQL's functions and operators, once for each type that stands in
-- for others, and of the extension's with bytea for bitvec and with greater numbers. Returns how many there are then.
CREATE FUNCTION workshop.set_traps(VARIADIC stand_ins text[]) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM workshop.set_function(proname,
        ARRAY(SELECT workshop.spelled(type, stand_in) FROM unnest(proargtypes) WITH ORDINALITY AS a (type, n) ORDER BY n),
        workshop.spelled(prorettype, stand_in))
    FROM pg_proc, unnest(stand_ins) AS stand_in
    WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind <> 'p';
    PERFORM workshop.set_operator(oprname,
        ARRAY(SELECT workshop.spelled(type, stand_in) FROM unnest(ARRAY[oprleft, oprright]) WITH ORDINALITY AS a (type, n)
              WHERE type <> 0 ORDER BY n),
        workshop.spelled(oprresult, stand_in))
    FROM pg_operator, unnest(stand_ins) AS stand_in
    WHERE oprnamespace = 'pg_catalog'::regnamespace;
    PERFORM CASE kind WHEN 'function' THEN workshop.set_function(name, other, 'boolean')
                      ELSE workshop.set_operator(name, other, 'boolean') END
    FROM (SELECT kind, name, ARRAY(SELECT regexp_replace(replace(replace(type, 'integer', 'bigint'), 'double precision', 'numeric'),
                                                         '^x\.\w+', stand_in)
                                   FROM unnest(types) WITH ORDINALITY AS a (type, n) ORDER BY n) AS other
          FROM workshop.taken, unnest(stand_ins || '{bytea,text,bit}') AS stand_in
          WHERE types::text !~ 'internal|cstring') AS s;
    RETURN (SELECT count(*) FROM pg_proc WHERE pronamespace = 'x'::regnamespace AND proowner = 'mallory'::regrole);
END $$;

-- The demo's data in one table: a row for each version of a source file. Run from the project's directory.
CREATE EXTENSION IF NOT EXISTS iscc_usearch;
SET client_min_messages = warning;

CREATE TEMP TABLE raw_asset (id bigint, name text, seconds bigint);
CREATE TEMP TABLE raw_code (id bigint, bits int, code text);
\copy raw_asset FROM PROGRAM 'gzip -dc data/assets.tsv.gz'
\copy raw_code FROM PROGRAM 'gzip -dc data/text.tsv.gz'

CREATE TABLE version (
  id bigint PRIMARY KEY,
  repository text NOT NULL,
  path text NOT NULL,
  created timestamptz NOT NULL,
  code bitvec(256) NOT NULL
);
INSERT INTO version
  SELECT id, split_part(name, ':', 1), substr(name, strpos(name, ':') + 1), to_timestamp(seconds), left(code, bits / 4)::bitvec
    FROM raw_asset JOIN raw_code USING (id);
CREATE INDEX version_code ON version USING usearch (code);

CREATE TABLE picture (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  change text NOT NULL,
  thumbnail bytea NOT NULL,
  phash bitvec(64) NOT NULL
);
CREATE INDEX picture_phash ON picture USING usearch (phash);
ANALYZE version, picture;

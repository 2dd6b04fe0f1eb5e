"""Runs in a project of its own, because Django has one configuration per process: queries by the ORM."""

import django

django.setup()

from django.core import serializers  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402
from django.db import DataError, connection, transaction  # noqa: E402
from django.db.models import F, FloatField, Value  # noqa: E402
from django.forms import modelform_factory  # noqa: E402
from gallery.models import Image  # noqa: E402

from iscc_usearch_pg.django import (  # noqa: E402
    BitvecField,
    HammingDistance,
    HammingWithin,
    JaccardDistance,
    NphdDistance,
    NphdWithin,
    PrefixHammingDistance,
    SorensenDistance,
)

QUERY = b"\xfc\xbd"
CODES = [QUERY, "\\xfcbd04c3", b"\xfc\xbf", b"\x03\x42", None]


def ids(queryset):
    return list(queryset.values_list("id", flat=True))


def values():
    Image.objects.bulk_create(Image(id=n, name=str(n), phash=code) for n, code in enumerate(CODES, 1))
    assert Image.objects.get(id=2).phash == b"\xfc\xbd\x04\xc3"
    assert Image.objects.get(id=5).phash is None
    assert ids(Image.objects.filter(phash=QUERY)) == [1]
    assert ids(Image.objects.filter(phash__in=[QUERY, b"\x03\x42"]).order_by("id")) == [1, 4]
    assert ids(Image.objects.filter(phash__isnull=True)) == [5]
    assert ids(Image.objects.filter(phash__gt=b"\xfc\xbd").order_by("id")) == [2, 3]
    try:
        with transaction.atomic():
            Image.objects.create(name="too long", phash=bytes(9))
    except DataError as error:
        assert "too long" in str(error)
    else:
        raise AssertionError("a code that is too long was taken")


def distances():
    for distance in NphdDistance, PrefixHammingDistance, JaccardDistance, SorensenDistance:
        assert ids(Image.objects.order_by(distance("phash", QUERY), "id")[:3]) == [1, 2, 3], distance
    row = Image.objects.annotate(
        nphd=NphdDistance("phash", b"\x03\x42"),
        bits=PrefixHammingDistance("phash", b"\x03\x42"),
        hamming=HammingDistance("phash", b"\x03\x42"),
        jaccard=JaccardDistance("phash", b"\xfc\xbf"),
        sorensen=SorensenDistance("phash", b"\xfc\xbf"),
        itself=JaccardDistance("phash", F("phash")),
    ).get(id=1)
    assert (row.nphd, row.bits, row.hamming, row.itself) == (1.0, 16, 16, 0)
    assert abs(row.jaccard - 1 / 13) < 1e-9 and abs(row.sorensen - 1 / 25) < 1e-9


def within():
    assert ids(Image.objects.filter(phash__nphd_within=(QUERY, 0.1)).order_by("id")) == [1, 2, 3]
    assert ids(Image.objects.filter(phash__hamming_within=(QUERY, 1)).order_by("id")) == [1, 3]
    assert ids(Image.objects.exclude(phash__nphd_within=(QUERY, 0.1)).order_by("id")) == [4, 5]
    assert ids(Image.objects.filter(NphdWithin("phash", QUERY, 0.05)).order_by("id")) == [1, 2]
    assert ids(Image.objects.filter(HammingWithin("phash", QUERY, 0))) == [1]
    assert ids(Image.objects.alias(d=NphdDistance("phash", QUERY)).filter(d__lt=0.05).order_by("id")) == [1, 2]
    assert ids(Image.objects.filter(phash__nphd_within=(F("phash"), 0)).order_by("id")) == [1, 2, 3, 4]
    radius = Value(0.1, output_field=FloatField())
    assert ids(Image.objects.filter(phash__nphd_within=(QUERY, radius)).order_by("id")) == [1, 2, 3]


def plans():
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    nearest = Image.objects.order_by(NphdDistance("phash", QUERY))[:3]
    assert "image_phash" in nearest.explain(), nearest.explain()
    within = Image.objects.filter(phash__nphd_within=(QUERY, 0.1))
    assert "image_phash" in within.explain(), within.explain()
    hamming = Image.objects.order_by(PrefixHammingDistance("phash", QUERY))[:3]
    assert "image_hamming" in hamming.explain(), hamming.explain()


def forms_and_fixtures():
    form = modelform_factory(Image, fields=["name", "phash"])
    image = Image.objects.get(id=1)
    assert 'value="\\xfcbd"' in form(instance=image).as_p()
    changed = form({"name": "1", "phash": "fcbe"}, instance=image)
    assert changed.is_valid() and changed.has_changed() and changed.save().phash == b"\xfc\xbe"
    assert not form({"name": "1", "phash": "\\xfcbe"}, instance=image).has_changed()
    assert form({"name": "1", "phash": "xyz"}).errors["phash"] == [
        "a code is an even number of hexadecimal digits, not 'xyz'"
    ]
    (copy,) = serializers.deserialize("json", serializers.serialize("json", [Image.objects.get(id=2)]))
    assert copy.object.phash == b"\xfc\xbd\x04\xc3"
    try:
        BitvecField().to_python(7)
    except ValidationError as error:
        assert "not int" in str(error)
    else:
        raise AssertionError("a number was taken for a code")


for check in values, distances, within, plans, forms_and_fixtures:
    check()

from django.db import models

from iscc_usearch_pg.django import BitvecField, UsearchIndex


class Image(models.Model):
    name = models.CharField(max_length=40)
    phash = BitvecField(bits=64, null=True)
    any_length = BitvecField(null=True)

    class Meta:
        indexes = (
            UsearchIndex(name="image_phash", fields=["phash"], m=24, shard_size="64MB"),
            UsearchIndex(name="image_hamming", fields=["phash"], opclasses=["bitvec_hamming_ops"]),
        )

"""python pictures.py: paints pictures, changes each in several ways, and stores them with their perceptual hashes, in
the database that libpq's variables name. They are painted by rules, so that the example needs no photographs."""

import io
import math
import random
from collections.abc import Callable, Iterator

import imagehash
import psycopg
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

SIZE = (240, 180)
SCENES = 48

Painter = Callable[[ImageDraw.ImageDraw, random.Random], None]


def colour(chance: random.Random, low: int = 40, high: int = 230) -> tuple[int, int, int]:
    return (chance.randint(low, high), chance.randint(low, high), chance.randint(low, high))


def hills(draw: ImageDraw.ImageDraw, chance: random.Random) -> None:
    width, height = SIZE
    x, y, r = chance.randint(20, width - 20), chance.randint(15, 80), chance.randint(12, 30)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(250, 220, 120))
    for layer in range(3):
        shade, swing, phase = colour(chance, 20, 160), chance.uniform(15, 45), chance.uniform(0, 6)
        line = [
            (i, height * (0.45 + 0.2 * layer) + swing * math.sin(i / chance.uniform(28, 30) + phase))
            for i in range(0, width + 1, 4)
        ]
        draw.polygon([*line, (width, height), (0, height)], fill=shade)


def skyline(draw: ImageDraw.ImageDraw, chance: random.Random) -> None:
    x = 0
    while x < SIZE[0]:
        wide, high = chance.randint(18, 50), chance.randint(40, 150)
        draw.rectangle((x, SIZE[1] - high, x + wide - 3, SIZE[1]), fill=colour(chance, 20, 140))
        for floor in range(SIZE[1] - high + 8, SIZE[1] - 6, 14):
            draw.rectangle((x + 5, floor, x + wide - 9, floor + 5), fill=colour(chance, 170, 250))
        x += wide


def balloons(draw: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for _ in range(chance.randint(4, 8)):
        x, y, r = chance.randint(10, 230), chance.randint(10, 150), chance.randint(14, 44)
        draw.line((x, y, x + chance.randint(-9, 9), y + 2 * r), fill=(90, 90, 90), width=2)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour(chance))


def quilt(draw: ImageDraw.ImageDraw, chance: random.Random) -> None:
    step = chance.choice([30, 45, 60])
    for x in range(0, SIZE[0], step):
        for y in range(0, SIZE[1], step):
            draw.rectangle((x, y, x + step, y + step), fill=colour(chance))
            draw.polygon([(x, y), (x + step, y), (x, y + step)], fill=colour(chance))


PAINTERS: dict[str, Painter] = {"hills": hills, "skyline": skyline, "balloons": balloons, "quilt": quilt}


def paint(number: int) -> tuple[str, Image.Image]:
    chance = random.Random(number)
    name, painter = list(PAINTERS.items())[number % len(PAINTERS)]
    image = Image.new("RGB", SIZE, colour(chance, 150, 240))
    painter(ImageDraw.Draw(image), chance)
    return f"{name} {number // len(PAINTERS) + 1}", image


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=12)
    return Image.open(buffer).convert("RGB")


def stamped(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).text((150, 160), "(c) nobody", fill="white")
    return copy


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "original": lambda image: image,
    "a third of the size": lambda image: image.resize((80, 60)),
    "cropped": lambda image: image.crop((8, 6, 232, 174)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "in grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "strongly compressed": recompressed,
    "stamped": stamped,
}


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.resize(SIZE).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def phash(image: Image.Image) -> bytes:
    return bytes.fromhex(str(imagehash.phash(image)))


def rows() -> Iterator[tuple[str, str, bytes, bytes]]:
    for number in range(SCENES):
        name, image = paint(number)
        for change, apply in CHANGES.items():
            changed = apply(image)
            yield name, change, jpeg(changed), phash(changed)


def main() -> None:
    with psycopg.connect() as connection:
        insert = "INSERT INTO picture (name, change, thumbnail, phash) VALUES (%s, %s, %s, %s)"
        connection.cursor().executemany(insert, list(rows()))
        connection.execute("ANALYZE picture")


if __name__ == "__main__":
    main()

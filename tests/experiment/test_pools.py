"""Users' data sets in three forms, each with what real ones have wrong: every fault named, no image lost."""

from __future__ import annotations

import json
import os
import struct
import unicodedata
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.experiment.pools import load_detection

BCCD = ROOT.parent / "shared" / "data" / "detection" / "bccd"


def picture(path: Path, width: int = 64, height: int = 48, orientation: int = 0) -> Path:
    """A photograph unlike any other in its folder, of the path's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    done, code = cv2.imencode(path.suffix, rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
    assert done
    data = code.tobytes()
    if orientation:
        entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
        block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    path.write_bytes(data)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def said(pool) -> str:
    return "\n".join(map(str, (*pool.problems, *pool.notes)))


def boxes_of(pool) -> dict[str, list[list[float]]]:
    return {image.path.name: np.round(image.boxes, 4).tolist() for image in pool.images}


# ---------------------------------------------------------------- YOLO


@pytest.fixture
def yolo(tmp_path):
    for split in ("train", "val"):
        for number in range(4):
            picture(tmp_path / f"images/{split}/{split}{number}.jpg")
            text(tmp_path / f"labels/{split}/{split}{number}.txt", f"{number % 2} 0.5 0.5 0.25 0.5\n")
    text(tmp_path / "data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n")
    return tmp_path


def test_yolo_is_read_and_keeps_its_split(yolo):
    pool = load_detection(yolo)
    assert (pool.kind, pool.classes, len(pool.images)) == ("yolo", ("cat", "dog"), 8)
    assert (pool.problems, pool.notes, pool.dropped_boxes, pool.dropped_images) == ((), (), 0, 0)
    image = pool.images[1]
    assert (image.path.name, image.width, image.height, image.split) == ("train1.jpg", 64, 48, "train")
    assert image.boxes.tolist() == [[24, 12, 40, 36]] and image.classes.tolist() == [1]
    assert [len(part.images) for part in pool.split(0).values()] == [4, 2, 2]
    assert load_detection(yolo / "data.yaml").digest == pool.digest


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2 0.5 0.5 0.2 0.2", "unknown class '2', expected a number from 0 to 1"),
        ("-1 0.5 0.5 0.2 0.2", "unknown class '-1'"),
        ("0.5 0.5 0.5 0.2 0.2", "unknown class '0.5'"),
        ("cat 0.5 0.5 0.2 0.2", "unknown class 'cat'"),
        ("0 0.5 0.5 0.2", "4 columns; expected class x y w h"),
        ("0 0.5 0.5 0.2 0.2 0.9", "6 columns; expected class x y w h"),
        ("0 0.5 0.5 0.2 wide", "expected finite numbers"),
        ("0 0.5 nan 0.2 0.2", "expected finite numbers"),
        ("0 32 24 16 24", "32 is no share of the image's size, 0 to 1; are these pixels?"),
        ("0 0.5 0.5 -0.2 0.2", "-0.2 is no share"),
        ("0 0.5 0.5 0 0.2", "has no area"),
        ("0 0.5 0.5 0.001 0.2", "is less than a pixel wide or high"),
        ("1 0.5 0.5 0.25 0.5", "is there twice with the same class"),
    ],
)
def test_a_faulty_yolo_row_costs_that_box_and_is_named(yolo, row, message):
    text(yolo / "labels/train/train1.txt", f"1 0.5 0.5 0.25 0.5\n\n{row}\n")
    pool = load_detection(yolo)
    (problem,) = pool.problems
    assert message in problem.what and "the box is left out" in problem.what and problem.remedy
    assert problem.where.endswith("labels/train/train1.txt, line 3")
    assert pool.dropped_boxes == 1 and len(pool.images) == 8
    assert boxes_of(pool)["train1.jpg"] == [[24, 12, 40, 36]]


def test_yolo_boxes_beyond_the_image_are_cut_and_by_more_than_a_pixel_reported(yolo):
    text(yolo / "labels/train/train0.txt", "0 0.1 0.5 0.4 0.5\n")
    text(yolo / "labels/train/train1.txt", "0 0.1 0.5 0.21 0.5\n")
    pool = load_detection(yolo)
    (problem,) = pool.problems
    assert "reaches 6.4 pixels beyond the image of 64 × 48; it is cut at the edge" in problem.what
    assert "1 box(es) reach up to a pixel beyond" in said(pool)
    assert boxes_of(pool)["train0.jpg"] == [[0, 12, 19.2, 36]]
    assert boxes_of(pool)["train1.jpg"][0][0] == 0 and pool.dropped_boxes == 0


def test_yolo_polygons_and_key_points_become_boxes(yolo):
    text(yolo / "labels/train/train0.txt", "0 0.25 0.25 0.5 0.25 0.5 0.75 0.25 0.5\r\n1 0.5 0.5 0.25 0.5\r\n")
    text(yolo / "labels/train/train1.txt", "\ufeff1.0 0.1 0.1 0.2 0.1 0.1 0.3\n")
    pool = load_detection(yolo)
    assert pool.problems == ()
    assert boxes_of(pool)["train0.jpg"] == [[16, 12, 32, 36], [24, 12, 40, 36]]
    assert boxes_of(pool)["train1.jpg"] == [[6.4, 4.8, 12.8, 14.4]]
    yaml = (yolo / "data.yaml").read_text() + "kpt_shape: [2, 2]\n"
    text(yolo / "data.yaml", yaml)
    text(yolo / "labels/train/train0.txt", "0 0.5 0.5 0.25 0.5 0.4 0.4 0.6 0.6\n")
    assert boxes_of(load_detection(yolo))["train0.jpg"] == [[24, 12, 40, 36]]


def test_yolo_images_without_labels_are_background_and_counted(yolo):
    (yolo / "labels/train/train0.txt").unlink()
    (yolo / "labels/val/val2.txt").unlink()
    text(yolo / "labels/train/train3.txt", "")
    text(yolo / "labels/train/gone.txt", "0 0.5 0.5 0.25 0.5\n1 0.5 0.5 0.25 0.5\n")
    pool = load_detection(yolo)
    assert len(pool.images) == 8 and pool.dropped_boxes == 2
    assert "2 image(s) have no label file and are taken as background, without objects: train0.jpg, val2.jpg" in said(
        pool
    )
    (problem,) = pool.problems
    assert "gone.txt" in problem.where and "2 label(s) without an image" in problem.what
    for name in ("train0.jpg", "train3.jpg", "val2.jpg"):
        assert boxes_of(pool)[name] == []


def test_yolo_without_any_label_file_is_refused(yolo):
    (yolo / "labels").rename(yolo / "annotations")
    with pytest.raises(InputError, match=r"looked for .*labels/train/train0\.txt"):
        load_detection(yolo)


def test_damaged_images_and_labels_are_named_and_counted(yolo):
    (yolo / "images/train/train0.jpg").write_bytes((yolo / "images/train/train0.jpg").read_bytes()[:300])
    (yolo / "labels/train/train1.txt").write_bytes(b"\xff\xfe0\0")
    picture(yolo / "images/val/phone.png").rename(yolo / "images/val/phone.HEIC")
    (yolo / "images/val/phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    pool = load_detection(yolo)
    assert len(pool.images) == 6 and pool.dropped_images == 3 and pool.dropped_boxes == 1
    assert "train0.jpg: there is no such image that OpenCV can decode" in said(pool)
    assert "the image is left out with its 1 box(es)" in said(pool)
    assert "train1.txt: the labels cannot be read" in said(pool)
    assert "phone.HEIC" in said(pool)


def test_all_kinds_of_photographs_and_names_are_read(tmp_path):
    names = ("Größe.jpg", "写真 1.PNG", "grau.png", "tief.png", "durchsichtig.png", "gedreht.jpg")
    for name in names:
        picture(tmp_path / "images" / name.replace("PNG", "png"), orientation=6 if name == "gedreht.jpg" else 0)
        text(tmp_path / "labels" / f"{Path(name).stem}.txt", "0 0.25 0.5 0.5 1\n")
    (tmp_path / "images/写真 1.png").rename(tmp_path / "images/写真 1.PNG")
    for name, image in (
        ("grau", np.zeros((48, 64), np.uint8)),
        ("tief", np.full((48, 64, 3), 40_000, np.uint16)),
        ("durchsichtig", np.zeros((48, 64, 4), np.uint8)),
    ):
        (tmp_path / f"images/{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    text(tmp_path / "data.yaml", "train: images\nnames: [ding]\n")
    pool = load_detection(tmp_path)
    assert {image.path.name for image in pool.images} == set(names)
    assert pool.problems == ()
    turned = next(image for image in pool.images if image.path.name == "gedreht.jpg")
    assert (turned.width, turned.height, turned.boxes.tolist()) == (48, 64, [[0, 0, 24, 64]])
    assert "1 photograph(s) carry a rotation, and are turned upright: gedreht.jpg" in said(pool)


def test_yolo_split_lists_roboflow_paths_and_one_folder_for_both(yolo):
    text(
        yolo / "data.yaml",
        "train: ../images/train\nvalid: ../images/val\ntest: ../images/test\nnc: 2\nnames: [cat, dog]\n",
    )
    pool = load_detection(yolo)
    assert Counter(image.split for image in pool.images) == {"train": 4, "val": 4}
    assert "there is no '../images/test'" in said(pool)
    text(yolo / "train.txt", "./images/train/train0.jpg\nimages/train/train1.jpg\n\nimages/train/lost.jpg\n")
    text(yolo / "data.yaml", "path: /home/somebody/data\ntrain: train.txt\nval: [images/val]\nnames: [cat, dog]\n")
    pool = load_detection(yolo)
    assert len(pool.images) == 6 and pool.dropped_images == 1
    assert "lost.jpg; the image is left out" in said(pool)
    assert "2 image file(s) without any entry in the annotations are not used: train2.jpg, train3.jpg" in said(pool)
    text(yolo / "labels/train/train0.txt", "5 0.5 0.5 0.1 0.1\n")
    text(yolo / "data.yaml", "train: images/train\nval: images/train\nnames: [cat, dog]\n")
    pool = load_detection(yolo)
    assert len(pool.images) == 4 and {image.split for image in pool.images} == {"train"}
    assert len(pool.problems) == pool.dropped_boxes == 1
    assert "4 image(s) are in train and in val; they stay in train" in said(pool)
    assert all(part.images for part in pool.split(0).values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: images/train\nnames: [cat, dog\n", r"data\.yaml, line \d: no YAML"),
        ("just words", "expected keys and values, got str"),
        ("train: images/train\n", "names: got None"),
        ("train: images/train\nnames: {1: cat, 2: dog}\n", "numbered from 0 without a gap"),
        ("train: images/train\nnc: 3\nnames: [cat, dog]\n", "2 names, nc is 3"),
        ("train: images/train\nnames: [cat, cat]\n", "a name is there twice"),
        ("train: images/tarin\nnames: [cat, dog]\n", "train: there is no 'images/tarin'"),
        ("names: [cat, dog]\n", "expected images under train, val or test, found none"),
    ],
)
def test_a_yolo_description_that_cannot_be_used_is_refused(yolo, content, message):
    text(yolo / "data.yaml", content)
    with pytest.raises(InputError, match=message):
        load_detection(yolo)


# ---------------------------------------------------------------- COCO


def coco(folder: Path, split: str, count: int, **changes) -> dict:
    """Images and content of a COCO file; saved by `save`."""
    names = [f"{split}{number}.jpg" for number in range(count)]
    for name in names:
        picture(folder / split / name)
    content = {
        "images": [{"id": 10 + k, "file_name": name, "width": 64, "height": 48} for k, name in enumerate(names)],
        "annotations": [
            {"id": 100 + k, "image_id": 10 + k, "category_id": 3 + 4 * (k % 2), "bbox": [8.5, 4.25, 20, 10.5]}
            for k in range(count)
        ],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    content.update(changes)
    return content


def save(folder: Path, split: str, content: dict) -> Path:
    return text(folder / f"annotations/instances_{split}2017.json", json.dumps(content))


def test_coco_is_read_with_its_split_and_fractions(tmp_path):
    for split, count in (("train", 4), ("val", 2)):
        save(tmp_path, split, coco(tmp_path, split, count))
    text(tmp_path / "annotations/captions_val2017.json", '{"images": [], "annotations": [{"caption": "x"}]}')
    keypoints = coco(tmp_path, "val", 2)
    text(tmp_path / "annotations/person_keypoints_val2017.json", json.dumps(keypoints))
    pool = load_detection(tmp_path)
    assert (pool.kind, pool.classes, pool.problems) == ("coco", ("cat", "dog"), ())
    assert Counter(image.split for image in pool.images) == {"train": 4, "val": 2}
    assert pool.images[1].boxes.tolist() == [[8.5, 4.25, 28.5, 14.75]] and pool.images[1].classes.tolist() == [1]
    assert "not used, since instances_… hold the boxes: person_keypoints_val2017.json" in said(pool)
    one = load_detection(tmp_path / "annotations/instances_train2017.json")
    assert len(one.images) == 4 and {image.split for image in one.images} == {"train"}


def annotation(**changes):
    return {"id": 900, "image_id": 10, "category_id": 3, "bbox": [30, 20, 5, 5], **changes}


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        (annotation(category_id=9), "category_id 9 is no category; there are 3, 7"),
        (annotation(category_id=[3]), "category_id [3] is no category"),
        (annotation(image_id=99), "image_id 99 is no image of the file"),
        (annotation(bbox=[1, 2, 3]), "expected bbox [x, y, width, height], got [1, 2, 3]"),
        (annotation(bbox=None), "got None"),
        (annotation(bbox=["a", 2, 3, 4]), "expected bbox"),
        (annotation(bbox=[1, 2, float("nan"), 4]), "expected bbox"),
        (annotation(bbox=[1, 2, 0, 4]), "has no area"),
        (annotation(bbox=[1, 2, -5, 4]), "has no area"),
        (annotation(bbox=[70, 2, 5, 4]), "lies outside the image of 64 × 48"),
        (annotation(bbox=[8.5, 4.25, 20, 10.5]), "is there twice"),
    ],
)
def test_a_faulty_coco_annotation_costs_that_box_and_is_named(tmp_path, faulty, message):
    content = coco(tmp_path, "train", 3)
    content["annotations"].append(faulty)
    save(tmp_path, "train", content)
    pool = load_detection(tmp_path)
    (problem,) = pool.problems
    assert message in problem.what and "instances_train2017.json, annotation 900 (" in problem.where
    assert pool.dropped_boxes == 1 and sum(len(image.boxes) for image in pool.images) == 3


def test_coco_crowds_are_counted_and_images_without_annotations_are_background(tmp_path):
    content = coco(tmp_path, "train", 4)
    content["annotations"] = content["annotations"][:2]
    content["annotations"] += [annotation(iscrowd=1, segmentation={"counts": "a", "size": [48, 64]})]
    save(tmp_path, "train", content)
    pool = load_detection(tmp_path)
    assert pool.problems == () and pool.dropped_boxes == 1 and pool.dropped_images == 0
    assert "1 crowd box(es) on 1 image(s)" in said(pool)
    assert [len(image.boxes) for image in pool.images] == [1, 1, 0, 0]


def test_faulty_coco_images_are_named_and_counted(tmp_path):
    content = coco(tmp_path, "train", 6)
    entries = content["images"]
    entries[0]["file_name"] = "gone.jpg"
    entries[1]["width"] = 640
    del entries[2]["file_name"]
    entries.append({"id": entries[3]["id"], "file_name": "train3.jpg"})
    entries[4] |= {"width": 64, "height": None}
    content["categories"] += [{"id": 3, "name": "cow"}, {"id": 11, "name": "cat"}, {"name": "x"}]
    save(tmp_path, "train", content)
    pool = load_detection(tmp_path)
    assert {image.path.name for image in pool.images} == {"train3.jpg", "train4.jpg", "train5.jpg"}
    for message in (
        "images[0] (gone.jpg): there is no such file; the image is left out with its 1 box(es)",
        "states 640 × 48 pixels, the image has 64 × 48; the image is left out with its 1 box(es)",
        "images[2]: expected id and file_name",
        "images[6] (train3.jpg): id 13 is given twice",
        "id 3 is given twice, to cat and cow; the first is taken",
        "the name cat is given twice",
        "categories[4]: expected a whole number id and a name",
        "annotation 102 (no image): image_id 12 is no image of the file",
        "2 image file(s) without any entry in the annotations are not used: train0.jpg, train2.jpg",
    ):
        assert message in said(pool)
    assert pool.dropped_images == 4
    total = len(content["annotations"])
    assert sum(len(image.boxes) for image in pool.images) + pool.dropped_boxes == total


def test_coco_finds_images_beside_the_file_in_subfolders_and_in_either_unicode_form(tmp_path):
    folder = tmp_path / "train"
    content = coco(tmp_path, "train", 2)
    picture(folder / unicodedata.normalize("NFD", "Käse.jpg"))
    picture(tmp_path / "deep/er/x.jpg")
    extra = [unicodedata.normalize("NFC", "Käse.jpg"), "C:\\photos\\x.jpg"]
    content["images"] += [{"id": 50 + k, "file_name": name, "width": 64, "height": 48} for k, name in enumerate(extra)]
    text(folder / "_annotations.coco.json", json.dumps(content))
    pool = load_detection(tmp_path)
    assert pool.problems == () and len(pool.images) == 4
    assert {image.split for image in pool.images} == {"train"}
    picture(tmp_path / "other/x.jpg")
    assert "2 files have this name" in said(load_detection(tmp_path))


def test_a_stated_size_tells_whether_boxes_know_of_the_rotation(tmp_path):
    content = coco(tmp_path, "train", 3)
    for number in (0, 1):
        picture(tmp_path / f"train/train{number}.jpg", orientation=8)
    content["images"][0] |= {"width": 48, "height": 64}
    save(tmp_path, "train", content)
    pool = load_detection(tmp_path)
    assert pool.problems == ()
    assert [(image.width, image.height, image.upright) for image in pool.images] == [
        (48, 64, True),
        (64, 48, False),
        (64, 48, True),
    ]
    assert "1 photograph(s) carry a rotation that their annotation does not know" in said(pool)


def test_unreadable_coco_files_are_refused_with_the_line(tmp_path):
    content = json.dumps(coco(tmp_path, "train", 1), indent=1)
    path = text(tmp_path / "train.json", content[:-5])
    with pytest.raises(InputError, match=r"train\.json, line \d+: no JSON"):
        load_detection(tmp_path)
    path.write_text(json.dumps({"images": {}, "annotations": [], "categories": [], "info": {"bbox": 1}}))
    with pytest.raises(InputError, match="images: expected a list, got dict"):
        load_detection(tmp_path)


def test_a_huge_coco_file_is_read_in_bounded_time(tmp_path):
    content = coco(tmp_path, "train", 50)
    content["annotations"] = [
        {"id": k, "image_id": 10 + k % 50, "category_id": 3, "bbox": [k % 7, k // 50 % 11, 5 + k / 1e5, 9]}
        for k in range(100_000)
    ]
    save(tmp_path, "train", content)
    start = os.times().user
    pool = load_detection(tmp_path)
    assert sum(len(image.boxes) for image in pool.images) == 100_000
    assert os.times().user - start < 20


# ---------------------------------------------------------------- Pascal VOC


def voc_object(name: str, sides: tuple, extra: str = "") -> str:
    tags = "".join(f"<{tag}>{side}</{tag}>" for tag, side in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{tags}</bndbox></object>"


def voc(
    folder: Path, stem: str, *objects: str, size: str = "<size><width>64</width><height>48</height></size>"
) -> None:
    if not (folder / f"JPEGImages/{stem}.jpg").exists():
        picture(folder / f"JPEGImages/{stem}.jpg")
    content = f"<annotation><filename>{stem}.jpg</filename>{size}{''.join(objects)}</annotation>"
    text(folder / f"Annotations/{stem}.xml", content)


def test_voc_counts_pixels_from_one_and_collects_names(tmp_path):
    voc(tmp_path, "a", voc_object("dog", (1, 1, 64, 48)), voc_object(" cat ", (2, 3.5, 10, 20)))
    voc(tmp_path, "b")
    pool = load_detection(tmp_path)
    assert (pool.kind, pool.classes, pool.problems, pool.notes) == ("voc", ("cat", "dog"), (), ())
    assert boxes_of(pool) == {"a.jpg": [[0, 0, 64, 48], [1, 2.5, 10, 20]], "b.jpg": []}


def test_voc_that_counts_from_zero_gives_itself_away(tmp_path):
    voc(tmp_path, "a", voc_object("dog", (0, 1, 63, 47)))
    pool = load_detection(tmp_path)
    assert boxes_of(pool) == {"a.jpg": [[0, 1, 63, 47]]}
    assert "coordinates begin at 0: taken as corners counted from 0" in said(pool)


def test_faults_in_voc_are_named_and_nothing_else_is_lost(tmp_path):
    sound = voc_object("dog", (5, 5, 20, 20))
    voc(tmp_path, "area", sound, voc_object("cat", (9, 9, 9, 9)), voc_object("cat", (30, 9, 20, 19)))
    voc(tmp_path, "sides", sound, voc_object("cat", (9, 9, "", 19)), voc_object("", (9, 9, 19, 19)))
    voc(tmp_path, "nosize", sound, size="")
    voc(tmp_path, "zerosize", sound, size="<size><width>64</width><height/></size>")
    voc(tmp_path, "othersize", sound, size="<size><width>640</width><height>480</height></size>")
    voc(tmp_path, "noimage", sound)
    (tmp_path / "JPEGImages/noimage.jpg").unlink()
    picture(tmp_path / "JPEGImages/unlabelled.jpg")
    voc(tmp_path, "broken", sound)
    text(tmp_path / "Annotations/broken.xml", "<annotation>\n<object>\n</annotation>")
    voc(tmp_path, "hard", voc_object("Dog", (5, 5, 20, 20), "<difficult>1</difficult>"))
    pool = load_detection(tmp_path)
    for message in (
        "area.xml, object 2 (cat): xmin 9, ymin 9, xmax 9, ymax 9 is a box without area; the box is left out",
        "area.xml, object 3 (cat): xmin 30, ymin 9, xmax 20, ymax 19 is a box without area",
        "sides.xml, object 2 (cat): expected four numbers in bndbox, got xmin '9', ymin '9', xmax ''",
        "sides.xml, object 3: it has no name",
        "2 annotation(s) state no size; that of the image is taken",
        "othersize.xml states 640 × 480 pixels, the image has 64 × 48; the image is left out with its 1 box(es)",
        "noimage.xml: there is no image noimage or noimage.jpg; the image is left out with its 1 box(es)",
        "unlabelled.jpg: it has no annotation",
        "broken.xml, line 3: no XML",
        "Dog and dog are taken as different classes",
        "1 object(s) marked difficult are kept",
    ):
        assert message in said(pool)
    assert (pool.dropped_images, pool.dropped_boxes) == (4, 6)
    files = set((tmp_path / "JPEGImages").iterdir())
    dropped = {"othersize.jpg", "unlabelled.jpg", "broken.jpg"}
    assert {image.path for image in pool.images} == {path for path in files if path.name not in dropped}


def test_voc_lists_make_the_split(tmp_path):
    for stem in "abcdefg":
        voc(tmp_path, stem, voc_object("dog", (5, 5, 20, 20)))
    lists = tmp_path / "ImageSets/Main"
    text(lists / "train.txt", "a\nb 1\nc -1\n")
    text(lists / "val.txt", "d\ne\nb\n")
    text(lists / "trainval.txt", "a\nb\nc\nd\ne\n")
    text(lists / "test.txt", "f\nz\n")
    pool = load_detection(tmp_path)
    assert "".join(image.split[0] if image.split else "-" for image in pool.images) == "tttvvt-"
    assert "1 image(s) are in train.txt and in val.txt; they stay in train" in said(pool)
    assert "z has no file z.xml" in said(pool)
    assert "1 image(s) are in no list and are taken to train: g" in said(pool)
    assert [len(part.images) for part in pool.split(0).values()] == [4, 2, 1]


@pytest.mark.parametrize("layout", ["beside", "nested", "parts"])
def test_voc_in_other_folders_is_found(tmp_path, layout):
    for split in ("train", "valid", "test"):
        xml = {"beside": f"{split}/{split}.xml", "nested": f"{split}/Annotations/{split}.xml"}
        images = {"beside": f"{split}/{split}.png", "nested": f"{split}/images/{split}.png"}
        picture(tmp_path / images.get(layout, f"images/{split}/{split}.png"))
        text(
            tmp_path / xml.get(layout, f"annotations/{split}/{split}.xml"),
            f"<annotation>{voc_object('dog', (5, 5, 20, 20))}</annotation>",
        )
    pool = load_detection(tmp_path)
    assert pool.problems == ()
    assert {image.path.stem: image.split for image in pool.images} == {"train": "train", "valid": "val", "test": "test"}


def test_identical_pictures_in_two_splits_are_reported(yolo):
    (yolo / "images/val/val0.jpg").write_bytes((yolo / "images/train/train0.jpg").read_bytes())
    (yolo / "images/val/val1.jpg").write_bytes((yolo / "images/val/val2.jpg").read_bytes())
    pool = load_detection(yolo)
    (problem,) = pool.problems
    assert str(problem).startswith("val0.jpg (val): the same picture as train0.jpg, which is in train")
    assert "val2.jpg: the same picture as val1.jpg" in said(pool) and len(pool.images) == 8


# ---------------------------------------------------------------- which form


def test_a_folder_of_no_form_or_of_several_is_refused_with_what_was_sought(tmp_path, yolo):
    with pytest.raises(InputError) as caught:
        load_detection(tmp_path / "images")
    assert [problem.where for problem in caught.value.problems] == ["YOLO", "COCO", "VOC"]
    voc(yolo, "a", voc_object("dog", (5, 5, 20, 20)))
    with pytest.raises(InputError, match="which are meant") as caught:
        load_detection(yolo)
    assert [problem.remedy for problem in caught.value.problems] == [
        "take it with kind='yolo'",
        "take it with kind='voc'",
    ]
    assert load_detection(yolo, kind="voc").kind == "voc"
    with pytest.raises(InputError, match="expected yolo, coco, voc"):
        load_detection(yolo, kind="csv")
    with pytest.raises(InputError, match="no such folder"):
        load_detection(tmp_path / "none")


def test_progress_is_told(yolo):
    calls = []
    load_detection(yolo, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(8, 8)]


# ---------------------------------------------------------------- real data


@pytest.mark.skipif(not BCCD.exists(), reason="the blood cell images are not here")
def test_the_blood_cells_come_whole_but_for_two_boxes():
    """Counts from the data's card: RBC 4155, WBC 372, Platelets 361; own split 205, 87, 72; two boxes of zero area."""
    pool = load_detection(BCCD)
    assert (len(pool.images), pool.dropped_images, pool.dropped_boxes) == (364, 0, 2)
    assert [problem.where.rpartition("/")[2] for problem in pool.problems] == [
        "BloodImage_00338.xml, object 13 (RBC)",
        "BloodImage_00343.xml, object 4 (RBC)",
    ]
    counts = Counter(pool.classes[label] for image in pool.images for label in image.classes.tolist())
    assert counts == {"RBC": 4153, "WBC": 372, "Platelets": 361}
    assert [len(part.images) for part in pool.split(0).values()] == [205, 87, 72]
    for image in pool.images:
        assert (image.width, image.height) == (640, 480)
        assert image.boxes.min() >= 0 and (image.boxes <= [640, 480, 640, 480]).all()
        assert (image.boxes[:, 2:] - image.boxes[:, :2] >= 1).all()

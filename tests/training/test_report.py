"""The page of figures says what was measured, set by set and class by class."""

from __future__ import annotations

from training.report import page

FACTS = {
    "name": "veil-test",
    "version": "1.2.3",
    "thresholds": {"license_plate": 0.25},
    "weak_at": ["plates in fog"],
}


def of_class(boxes: int, promised: int) -> dict[str, object]:
    return {
        "boxes": boxes,
        "ap50": 0.75,
        "recall": 0.5,
        "promised_from_px": 12.0,
        "promised_boxes": promised,
        "promised_ap50": 0.8125 if promised else None,
        "promised_recall": 0.875 if promised else None,
    }


def test_each_class_of_a_set_has_a_row_and_an_empty_set_one() -> None:
    figures = {
        "street": {
            "pictures": 9,
            "false_boxes_per_picture": 0.2,
            "license_plate": of_class(8, 4),
            "id_card": of_class(2, 0),
        },
        "empty": {"pictures": 3, "false_boxes_per_picture": 1.0},
        "cards_by_portrait": {"dim": [1, 2]},
    }
    text = page(FACTS, figures)
    assert "# veil-test 1.2.3" in text
    assert "license_plate 0.25" in text
    assert "- plates in fog" in text
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "| street | 9 | 0.200 | license_plate | 8 | 0.750 | 0.500 | 4 from 12 px | 0.812 | 0.875 |",
        "|  |  |  | id_card | 2 | 0.750 | 0.500 | none |  |  |",
        "| empty | 3 | 1.000 |  |  |  |  |  |  |  |",
    ]

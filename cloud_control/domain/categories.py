"""What streams are about. A new category is a new line here; numbers are never given twice."""

from __future__ import annotations

from dataclasses import dataclass

ALL = 0  # as a filter only


@dataclass(frozen=True, slots=True)
class Category:
    """ko, en: its name in Korean and English."""

    id: int
    ko: str
    en: str


CATEGORIES = (
    Category(1, "기본", "General"),
    Category(2, "먹방", "Eating"),
    Category(3, "일상", "Daily life"),
    Category(4, "여행", "Travel"),
    Category(5, "영화", "Film"),
    Category(6, "음악", "Music"),
    Category(7, "술방", "Drinks"),
    Category(8, "언박싱", "Unboxing"),
    Category(9, "공부", "Study"),
    Category(10, "쇼핑", "Shopping"),
    Category(11, "기타", "Other"),
)

"""Elements of a page as BeautifulSoup reads it: what an attribute says, and an element that has to be there.

BeautifulSoup gives a text for one attribute, a list for another, and None where there is none.
"""

from collections.abc import Iterable

from bs4 import Tag
from bs4.element import AttributeValueList


def attribute(element: Tag, name: str) -> str:
    """Return the value of an attribute as the page has it, and an empty text where there is none."""
    value = element.get(name)
    return value if isinstance(value, str) else " ".join(value or ())


def classes(element: Tag) -> list[str]:
    """Return the classes of an element."""
    return attribute(element, "class").split()


def set_classes(element: Tag, names: Iterable[str]) -> None:
    """Give an element these classes, in the place of those that it has."""
    element["class"] = AttributeValueList(names)


def find_one(around: Tag, selector: str) -> Tag:
    """Return the first element inside another that a selector finds.

    Raises:
        LookupError: there is none.
    """
    found = around.select_one(selector)
    if found is None:
        raise LookupError(f"the page has no {selector} in its {around.name}")
    return found

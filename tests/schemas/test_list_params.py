from typing import Annotated

import pytest
from pydantic import ValidationError

from src.schemas.base import SafeStr
from src.schemas.list_params import PageQuery, SortBy

pytestmark = pytest.mark.unit


class ItemQuery(PageQuery):
    sort: Annotated[SafeStr, SortBy("create_time", "name")] = ""


class TestSort:
    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("", ()),
            ("name", ("name",)),
            (" -createTime , name,", ("-create_time", "name")),
        ],
    )
    def test_is_parsed_into_fields(self, sort: str, order: tuple[str, ...]) -> None:
        assert ItemQuery(sort=sort).spec().order == order

    @pytest.mark.parametrize(
        "sort", ["password", "-", "--name", "name__gt", "name,name", "name,-name", "createTime,create_time"]
    )
    def test_refuses_unknown_and_repeated_fields(self, sort: str) -> None:
        with pytest.raises(ValidationError, match="cannot sort by"):
            ItemQuery(sort=sort)

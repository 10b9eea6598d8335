from typing import Annotated

import pytest
from pydantic import ValidationError

from src.schemas.base import SafeStr
from src.schemas.list_params import FilterBy, Include, PageQuery, SortBy

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


class InvoiceQuery(PageQuery):
    include: Annotated[SafeStr, Include("owner", "order_lines.product")] = ""
    owner_name: Annotated[SafeStr | None, FilterBy("owner.name__starts")] = None


class TestInclude:
    @pytest.mark.parametrize(
        ("include", "paths"),
        [
            ("", ()),
            ("owner, orderLines", ("owner", "order_lines")),
            ("orderLines.product,", ("order_lines.product",)),
        ],
    )
    def test_is_parsed_into_paths(self, include: str, paths: tuple[str, ...]) -> None:
        assert InvoiceQuery(include=include).spec().include == paths

    @pytest.mark.parametrize("include", ["password", "owner.orders", "orderLines.product.a", "order", "-owner", "."])
    def test_refuses_what_is_not_declared(self, include: str) -> None:
        with pytest.raises(ValidationError, match="cannot include"):
            InvoiceQuery(include=include)

    def test_is_declared_no_deeper_than_it_is_loaded(self) -> None:
        with pytest.raises(ValueError, match="more than 3 relations"):
            Include("a.b.c.d")


class TestAFilterOfARelatedRow:
    def test_has_a_name_of_its_own(self) -> None:
        assert InvoiceQuery.model_validate({"ownerName": "Ada"}).spec().where == {"owner.name__starts": "Ada"}

    def test_without_an_operator_that_exists_is_refused_at_import(self) -> None:
        with pytest.raises(ValueError, match="Unknown filter operator"):
            FilterBy("owner.name__begins")

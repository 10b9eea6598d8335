"""docs/data.md: its examples run in the shop, and its table tells what the tests of the CRUD classes show."""

import ast
import sys
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from src.core.exceptions import ConflictError
from src.core.unit_of_work import UnitOfWork
from tests.docs.readme import ROOT, blocks, rows, section
from tests.shop.crud import OrderCRUD, PaymentCRUD, ProductCRUD, StockCRUD
from tests.shop.filling import Filled

PAGE = (ROOT / "docs/data.md").read_text()
DECLARATION, *EXAMPLES = blocks("python", PAGE)
BEHAVIOURS = rows(section("What other libraries do", PAGE))[1:]

# Fixtures with which a test runs on both stores.
ON_BOTH = {"items", "ten", "orders", "paid"}


@pytest.fixture(scope="module")
def guide() -> ModuleType:
    module = ModuleType("guide")
    sys.modules["guide"] = module
    for example in EXAMPLES:
        exec(compile(example, "docs/data.md", "exec"), module.__dict__)  # noqa: S102 - our own
    return module


class TestTheExamples:
    def test_declare_a_relation_as_the_shop_does(self) -> None:
        tables = (ROOT / "tests/shop/tables.py").read_text()
        assert DECLARATION.rstrip().splitlines()[-1] in tables

    async def test_do_what_the_page_says(self, guide: Any, uow: UnitOfWork, filled: Filled) -> None:
        orders = await guide.load_orders(uow)
        assert [(order.customer.name, len(order.lines)) for order in orders] == [("Ada", 2)] * 2 + [("Cid", 2)] * 2
        assert {line.product.name for line in orders[0].lines} == {"pad", "card"}
        query = guide.OrderQuery.model_validate({"country": "FR", "include": "lines"})
        assert [len(order.lines) for order in (await OrderCRUD(uow.session).cursor(query))[0]] == [2, 2]
        await self.pay(guide, uow, filled)
        await self.take(guide, uow, filled)
        await self.sum_up(guide, uow)
        await self.delete(guide, uow, filled)
        await self.import_prices(guide, uow)

    def test_declare_money_that_json_has_with_two_decimals(self, guide: Any) -> None:
        money = TypeAdapter[Decimal](guide.Money)
        assert {money.dump_json(money.validate_python(sent)) for sent in ("9.9", 9.9)} == {b'"9.90"'}
        for refused in ("9.999", "-1", "12345678901"):
            with pytest.raises(ValidationError):
                money.validate_python(refused)

    async def pay(self, guide: Any, uow: UnitOfWork, filled: Filled) -> None:
        order = await OrderCRUD(uow.session).get(filled.orders[1])
        assert (await guide.pay(uow, order, "Ada-1"), order.status) == (False, "open")
        assert (await guide.pay(uow, order, "Ada-2"), order.status) == (True, "paid")
        assert await PaymentCRUD(uow.session).count({"order_id": order.id}) == 1

    async def take(self, guide: Any, uow: UnitOfWork, filled: Filled) -> None:
        row = (await StockCRUD(uow.session).list({"product_id": filled.products[1]}, order=("quantity",)))[0]
        await guide.take(uow, {(row.product_id, row.warehouse_id): 4})
        assert row.quantity == 7
        with pytest.raises(ConflictError):
            await guide.take(uow, {(row.product_id, row.warehouse_id): 8})

    async def sum_up(self, guide: Any, uow: UnitOfWork) -> None:
        assert [(group["status"], group["count"]) for group in await guide.sales(uow)] == [("paid", 4), ("open", 2)]
        revenue = await guide.LineCRUD(uow.session).revenue_by_product()
        assert [(name, int(total)) for name, total in sorted(revenue)] == [("card", 12), ("pad", 12)]

    async def delete(self, guide: Any, uow: UnitOfWork, filled: Filled) -> None:
        customers = guide.CustomerCRUD(uow.session)
        await customers.delete(await customers.get(filled.customers[1]))
        assert [customer.name for customer in await guide.deleted_customers(uow)] == ["Bob"]

    async def import_prices(self, guide: Any, uow: UnitOfWork) -> None:
        category = (await ProductCRUD(uow.session).list(limit=1))[0].category_id
        new = [{"name": name, "price": price, "category_id": category} for name, price in (("pad", 1), ("ruler", 3))]
        assert await guide.import_prices(uow, new) == ["card", "pad"]


@cache
def parameters_in(file: str) -> dict[str, set[str]]:
    """The parameters of each test in a file of `tests/crud`."""
    found = {}
    for node in ast.parse(Path(ROOT / "tests/crud" / file).read_text()).body:
        for test in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(test, ast.AsyncFunctionDef | ast.FunctionDef):
                prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
                found[f"{file}::{prefix}{test.name}"] = {argument.arg for argument in test.args.args}
    return found


class TestTheTable:
    def test_is_long_enough(self) -> None:
        assert len(BEHAVIOURS) >= 60

    def test_names_a_test_that_runs_on_the_stores(self) -> None:
        for behaviour, sql, mongodb, *name in BEHAVIOURS:
            works = {store for store, cell in (("SQL", sql), ("MongoDB", mongodb)) if cell == "works"}
            if works:
                assert works == self.stores_of(name[0].strip("`")), behaviour
            else:
                assert name in ([], [""]), behaviour

    def stores_of(self, test: str) -> set[str]:
        parameters = parameters_in(test.partition("::")[0])[test]
        if parameters & ON_BOTH and "test_constraints" not in test:
            return {"SQL", "MongoDB"}
        return {"MongoDB"} if "test_documents" in test else {"SQL"}

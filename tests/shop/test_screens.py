"""Ten screens of a shop with 12 tables and 4 documents, each with at most two statements."""

from decimal import Decimal

import pytest

from src.core.exceptions import ConflictError
from src.core.stores.documents import Documents
from src.core.unit_of_work import UnitOfWork
from tests.shop.checkout import check_out
from tests.shop.conftest import Statements
from tests.shop.crud import CartCRUD, CustomerCRUD, OrderCRUD, StockCRUD
from tests.shop.documents import DOCUMENTS
from tests.shop.filling import Filled
from tests.shop.schemas import CustomerQuery, OrderQuery, ProductQuery
from tests.shop.screens import Screens
from tests.shop.tables import TABLES, OrderStatus


def test_the_shop_is_as_large_as_it_says() -> None:
    assert (len(TABLES), len(DOCUMENTS)) == (12, 4)


class TestScreens:
    """One test for all, since filling the shop takes longer than its screens."""

    async def test_have_at_most_two_statements_each(
        self, screens: Screens, filled: Filled, statements: Statements
    ) -> None:
        for name, check in vars(TestScreens).items():
            if name.startswith("check_"):
                statements.sent.clear()
                await check(self, screens, filled)
                assert 1 <= len(statements.sent) <= 2, (name, statements.sent)

    async def check_order_list(self, screens: Screens, _filled: Filled) -> None:
        orders, cursor = await screens.order_list(OrderQuery(limit=4, include="lines"))
        assert [(order.customer.name, len(order.lines or [])) for order in orders] == [
            ("Cid", 2), ("Cid", 2), ("Bob", 2), ("Bob", 2)
        ]  # fmt: skip
        assert (cursor is None, orders[0].payments, (orders[0].lines or [])[0].product.name) == (False, None, "pad")

    async def check_order_list_of_a_country(self, screens: Screens, _filled: Filled) -> None:
        sent = {"country": "DE", "status": "paid", "customerName": "AD", "include": "payments"}
        orders, _ = await screens.order_list(OrderQuery.model_validate(sent))
        assert [(order.customer.name, order.status) for order in orders] == [("Ada", OrderStatus.PAID)]
        assert [payment.reference for payment in orders[0].payments or []] == ["Ada-1"]

    async def check_order(self, screens: Screens, filled: Filled) -> None:
        order = await screens.order(filled.orders[0])
        assert (order.customer.name, order.customer.country.code) == ("Ada", "DE")
        assert sorted(line.product.name for line in order.lines) == ["card", "pad"]

    async def check_unpaid_orders(self, screens: Screens, _filled: Filled) -> None:
        shown = [(order.customer.name, len(order.lines or [])) for order in await screens.unpaid_orders()]
        assert shown == [("Ada", 2), ("Bob", 2), ("Cid", 2)]

    async def check_customer_list(self, screens: Screens, _filled: Filled) -> None:
        customers, total = await screens.customer_list(CustomerQuery(keyword="B", page_size=2))
        assert ([(customer.name, customer.country.code) for customer in customers], total) == (
            [("Ada", "DE"), ("Bob", "FR")],
            3,
        )

    async def check_catalogue(self, screens: Screens, _filled: Filled) -> None:
        products, _ = await screens.catalogue(ProductQuery(tag="cheap", include="tags"))
        assert [(product.name, product.category.name, len(product.tags or [])) for product in products] == [
            ("card", "paper", 1),
            ("pen", "ink", 2),
        ]

    async def check_catalogue_of_a_colour(self, screens: Screens, _filled: Filled) -> None:
        products, _ = await screens.catalogue(ProductQuery(colour="RED", category="ink", include="stock"))
        assert [(product.name, {place.warehouse.name for place in product.stock or []}) for product in products] == [
            ("pen", {"north", "south"})
        ]

    async def check_low_stock(self, screens: Screens, _filled: Filled) -> None:
        rows = await screens.low_stock(6)
        assert [(row.quantity, row.product.name, row.warehouse.name) for row in rows] == [
            (1, "pad", "north"),
            (5, "pad", "south"),
        ]

    async def check_sales(self, screens: Screens, _filled: Filled) -> None:
        assert await screens.sales() == [
            {"status": status, "count": 3, "total__sum": Decimal("60.00"), "total__avg": Decimal(20)}
            for status in ("open", "paid")
        ]

    async def check_best_customers(self, screens: Screens, _filled: Filled) -> None:
        assert await screens.best_customers(2) == [("Cid", Decimal(60)), ("Bob", Decimal(40))]

    async def check_reviews(self, screens: Screens, filled: Filled) -> None:
        stars, reviews = await screens.reviews_of(filled.products[0])
        assert (stars, len(reviews)) == ({"count": 3, "stars__avg": 4.0}, 3)

    async def check_deliveries(self, screens: Screens, filled: Filled) -> None:
        shown = await screens.deliveries_of(filled.products[0])
        assert [(delivery.number, delivery.supplier.name) for delivery in shown] == [(1, "Mill"), (2, "Works")]


class TestACheckout:
    async def test_makes_an_order_of_a_cart(self, uow: UnitOfWork, documents: Documents, filled: Filled) -> None:
        items = [{"product_id": key, "quantity": 3, "price": Decimal("1.50")} for key in filled.products[:2]]
        cart = await CartCRUD(documents).create({"customer_id": filled.customers[0], "items": items})
        found = await CartCRUD(documents).list({"items.quantity__gt": 2})
        order = await check_out(uow.session, found[0], "paid-1")
        assert (found[0].id, order.total, len(order.lines)) == (cart.id, Decimal("9.00"), 2)
        left = await StockCRUD(uow.session).list({"product_id": filled.products[0]}, order=("quantity",))
        assert [row.quantity for row in left] == [1, 2]

    async def test_changes_nothing_without_stock(self, uow: UnitOfWork, documents: Documents, filled: Filled) -> None:
        items = [{"product_id": filled.products[0], "quantity": 99, "price": Decimal(1)}]
        cart = await CartCRUD(documents).create({"customer_id": filled.customers[0], "items": items})
        with pytest.raises(ConflictError):
            await check_out(uow.session, cart, "paid-1")
        assert await OrderCRUD(uow.session).count() == 6

    async def test_twice_with_one_payment_is_a_conflict(
        self, uow: UnitOfWork, documents: Documents, filled: Filled
    ) -> None:
        cart = await CartCRUD(documents).create({"customer_id": filled.customers[0]})
        await check_out(uow.session, cart, "paid-1")
        with pytest.raises(ConflictError) as caught:
            await check_out(uow.session, cart, "paid-1")
        assert caught.value.data[0]["field"] == "reference"


class TestACustomer:
    async def test_with_orders_stays(self, uow: UnitOfWork, filled: Filled) -> None:
        customers = CustomerCRUD(uow.session)
        customer = await customers.get(filled.customers[0])
        with pytest.raises(ConflictError):
            await customers.purge(customer)
        await customers.delete(customer)
        assert await customers.find(customer.id) is None
        shown = await OrderCRUD(uow.session).list({"customer.name": "Ada"}, include=("customer",))
        assert {order.customer.name for order in shown} == {"Ada"}

"""The ten screens of the shop, each with at most two statements."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.stores.documents import Documents
from tests.shop.crud import CustomerCRUD, DeliveryCRUD, OrderCRUD, ProductCRUD, ReviewCRUD, StockCRUD
from tests.shop.documents import Review
from tests.shop.schemas import (
    CustomerQuery,
    CustomerShown,
    DeliveryShown,
    LowStock,
    OrderQuery,
    OrderShown,
    ProductQuery,
    ProductShown,
)
from tests.shop.tables import Order

Groups = Sequence[dict[str, Any]]


class Screens:
    """What the front end asks for."""

    def __init__(self, session: AsyncSession, documents: Documents) -> None:
        self.customers = CustomerCRUD(session)
        self.orders = OrderCRUD(session)
        self.products = ProductCRUD(session)
        self.stock = StockCRUD(session)
        self.reviews = ReviewCRUD(documents)
        self.deliveries = DeliveryCRUD(documents)

    async def order_list(self, query: OrderQuery) -> tuple[Sequence[OrderShown], str | None]:
        """Orders with their customers, and with what the client includes."""
        return await self.orders.project(OrderShown).cursor(query)

    async def order(self, order_id: UUID) -> Order:
        """An order to be changed: with its customer and their country, and with its lines and their products."""
        return await self.orders.get(order_id, include=("customer.country", "lines.product"))

    async def unpaid_orders(self) -> Sequence[OrderShown]:
        """Orders without a payment, oldest first."""
        unpaid = {"payments__null": True, "total__gt": 0}
        return await self.orders.project(OrderShown).list(unpaid, include=("lines",), limit=50)

    async def customer_list(self, query: CustomerQuery) -> tuple[Sequence[CustomerShown], int | None]:
        """Customers with their countries, and their number."""
        return await self.customers.project(CustomerShown).page(query)

    async def catalogue(self, query: ProductQuery) -> tuple[Sequence[ProductShown], str | None]:
        """Products with their categories, and their tags or stock if the client includes them."""
        return await self.products.project(ProductShown).cursor(query)

    async def low_stock(self, below: int) -> Sequence[LowStock]:
        """What should be ordered from the suppliers."""
        few = {"quantity__lt": below, "product.delete_time__null": True}
        return await self.stock.project(LowStock).list(few, order=("quantity",), limit=50)

    async def sales(self) -> Groups:
        """The number and the sum of orders by status."""
        return await self.orders.aggregate("count", "total__sum", "total__avg", by=("status",))

    async def best_customers(self, number: int) -> list[tuple[str, Any]]:
        """The customers who ordered most, with what they spent."""
        order = ("-total__sum", "customer_id")
        best = await self.orders.aggregate("total__sum", by=("customer_id",), order=order, limit=number)
        rows = await self.customers.with_deleted().list({"id__in": [group["customer_id"] for group in best]})
        names = {row.id: row.name for row in rows}
        return [(names[group["customer_id"]], group["total__sum"]) for group in best]

    async def reviews_of(self, product_id: UUID) -> tuple[dict[str, Any], Sequence[Review]]:
        """The number and the average of a product's stars, and its last reviews."""
        about = {"product_id": product_id}
        (stars,) = await self.reviews.aggregate("count", "stars__avg", where=about)
        return stars, await self.reviews.list(about, order=("-create_time",), limit=10)

    async def deliveries_of(self, product_id: UUID) -> Sequence[DeliveryShown]:
        """The deliveries of a product, with their suppliers."""
        return await self.deliveries.project(DeliveryShown).list({"product_ids": product_id})

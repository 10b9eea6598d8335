"""What clients of the shop see and send."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from src.schemas.base import BaseSchema, SafeStr
from src.schemas.list_params import CursorQuery, FilterBy, Include, PageQuery, SearchIn, SortBy
from tests.shop.tables import OrderStatus


class Named(BaseSchema):
    """Anything with a name."""

    name: str


class CountryShown(BaseSchema):
    """A country."""

    code: str


class CustomerShown(BaseSchema):
    """A customer."""

    id: UUID
    name: str
    email: str
    country: CountryShown


class LineShown(BaseSchema):
    """A line of an order."""

    quantity: int
    price: Decimal
    product: Named


class PaymentShown(BaseSchema):
    """A payment."""

    amount: Decimal
    reference: str


class OrderShown(BaseSchema):
    """An order; lines and payments only on request."""

    id: UUID
    create_time: datetime
    status: OrderStatus
    total: Decimal
    customer: Named
    lines: list[LineShown] | None = None
    payments: list[PaymentShown] | None = None


class StockShown(BaseSchema):
    """Stock of a product."""

    quantity: int
    warehouse: Named


class LowStock(StockShown):
    """Stock, with its product."""

    product: Named


class ProductShown(BaseSchema):
    """A product."""

    id: UUID
    name: str
    price: Decimal
    details: dict[str, Any]
    category: Named
    tags: list[Named] | None = None
    stock: list[StockShown] | None = None


class DeliveryShown(BaseSchema):
    """A delivery."""

    number: int
    supplier: Named


class OrderQuery(CursorQuery):
    """The list of orders."""

    sort: Annotated[SafeStr, SortBy("create_time", "total")] = "-createTime"
    include: Annotated[SafeStr, Include("lines", "payments")] = ""
    status: OrderStatus | None = None
    total__gte: Decimal | None = None
    customer_name: Annotated[SafeStr | None, FilterBy("customer.name__contains")] = None
    country: Annotated[SafeStr | None, FilterBy("customer.country.code")] = None


class CustomerQuery(PageQuery):
    """The list of customers."""

    sort: Annotated[SafeStr, SortBy("name", "create_time")] = "name"
    keyword: Annotated[SafeStr, SearchIn("name", "email", "addresses.city")] = ""


class ProductQuery(CursorQuery):
    """The catalogue."""

    sort: Annotated[SafeStr, SortBy("name", "price")] = "name"
    include: Annotated[SafeStr, Include("tags", "stock")] = ""
    tag: Annotated[SafeStr | None, FilterBy("tags.name")] = None
    category: Annotated[SafeStr | None, FilterBy("category.name")] = None
    colour: Annotated[SafeStr | None, FilterBy("details.colour__ieq")] = None

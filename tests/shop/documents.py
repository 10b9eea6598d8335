"""The documents of the shop."""

from decimal import Decimal
from uuid import UUID

from beanie import BackLink, Link
from pydantic import BaseModel, Field

from src.models.document import BaseDocument


class Review(BaseDocument):
    """What a customer says about a product."""

    product_id: UUID
    author: str
    stars: int
    text: str = ""

    class Settings:
        """Where reviews are."""

        name = "shop_reviews"


class CartItem(BaseModel):
    """A product in a cart."""

    product_id: UUID
    quantity: int
    price: Decimal


class Cart(BaseDocument):
    """What a customer has not ordered yet."""

    customer_id: UUID
    items: list[CartItem] = Field(default_factory=list)

    class Settings:
        """Where carts are."""

        name = "shop_carts"


class Supplier(BaseDocument):
    """Who delivers products."""

    name: str
    deliveries: list[BackLink["Delivery"]] = Field(
        default_factory=list, json_schema_extra={"original_field": "supplier"}
    )

    class Settings:
        """Where suppliers are."""

        name = "shop_suppliers"


class Delivery(BaseDocument):
    """A delivery of products."""

    supplier: Link[Supplier]
    number: int
    product_ids: list[UUID] = Field(default_factory=list)

    class Settings:
        """Where deliveries are."""

        name = "shop_deliveries"


DOCUMENTS: tuple[type[BaseDocument], ...] = (Review, Cart, Supplier, Delivery)

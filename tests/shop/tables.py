"""The tables of a small shop."""

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Relationship

from src.models.base import BaseModel, BaseTable
from src.models.mixins import SoftDelete, Versioned

MONEY: Any = Numeric(12, 2)


def reference(column: str, **options: Any) -> list[Any]:
    """The argument for a column that refers to another table."""
    return [ForeignKey(column, **options)]


class OrderStatus(StrEnum):
    """The state of an order."""

    OPEN = "open"
    PAID = "paid"
    SENT = "sent"


class Country(BaseTable, table=True):
    """A country; its key is a number."""

    __tablename__ = "shop_countries"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(max_length=2, unique=True)


class Customer(SoftDelete, Versioned, BaseModel, table=True):
    """A customer."""

    __tablename__ = "shop_customers"

    name: str
    email: str = Field(unique=True)
    country_id: int = Field(sa_column_args=reference("shop_countries.id"))

    country: Country = Relationship()
    addresses: list["Address"] = Relationship(back_populates="customer")
    orders: list["Order"] = Relationship(back_populates="customer")


class Address(BaseModel, table=True):
    """Where a customer gets their orders."""

    __tablename__ = "shop_addresses"

    customer_id: UUID = Field(index=True, sa_column_args=reference("shop_customers.id", ondelete="CASCADE"))
    street: str
    city: str

    customer: Customer = Relationship(back_populates="addresses")


class Category(BaseModel, table=True):
    """A category of products, in another one."""

    __tablename__ = "shop_categories"

    name: str = Field(unique=True)
    parent_id: UUID | None = Field(default=None, sa_column_args=reference("shop_categories.id"))

    parent: "Category" = Relationship(sa_relationship_kwargs={"remote_side": "Category.id"})


class ProductTag(BaseTable, table=True):
    """A tag of a product."""

    __tablename__ = "shop_product_tags"

    product_id: UUID = Field(primary_key=True, sa_column_args=reference("shop_products.id", ondelete="CASCADE"))
    tag_id: UUID = Field(primary_key=True, index=True, sa_column_args=reference("shop_tags.id", ondelete="CASCADE"))


class Tag(BaseModel, table=True):
    """A word by which products are found."""

    __tablename__ = "shop_tags"

    name: str = Field(unique=True)


class Product(SoftDelete, Versioned, BaseModel, table=True):
    """A product; `details` differ by its kind."""

    __tablename__ = "shop_products"

    name: str = Field(unique=True)
    price: Decimal = Field(sa_type=MONEY)
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    category_id: UUID = Field(index=True, sa_column_args=reference("shop_categories.id"))

    category: Category = Relationship()
    tags: list[Tag] = Relationship(link_model=ProductTag)
    stock: list["Stock"] = Relationship(back_populates="product")


class Warehouse(BaseModel, table=True):
    """A warehouse."""

    __tablename__ = "shop_warehouses"

    name: str = Field(unique=True)


class Stock(BaseTable, table=True):
    """How much of a product is in a warehouse; its key has two columns."""

    __tablename__ = "shop_stock"

    product_id: UUID = Field(primary_key=True, sa_column_args=reference("shop_products.id", ondelete="CASCADE"))
    warehouse_id: UUID = Field(primary_key=True, sa_column_args=reference("shop_warehouses.id"))
    quantity: int = 0

    product: Product = Relationship(back_populates="stock")
    warehouse: Warehouse = Relationship()


class Order(Versioned, BaseModel, table=True):
    """An order."""

    __tablename__ = "shop_orders"

    customer_id: UUID = Field(index=True, sa_column_args=reference("shop_customers.id"))
    status: OrderStatus = Field(default=OrderStatus.OPEN, sa_type=Text)
    total: Decimal = Field(default=Decimal(0), sa_type=MONEY)

    customer: Customer = Relationship(back_populates="orders")
    lines: list["Line"] = Relationship(back_populates="order")
    payments: list["Payment"] = Relationship(back_populates="order")


class Line(BaseModel, table=True):
    """A product in an order, at the price of that day."""

    __tablename__ = "shop_lines"

    order_id: UUID = Field(index=True, sa_column_args=reference("shop_orders.id", ondelete="CASCADE"))
    product_id: UUID = Field(index=True, sa_column_args=reference("shop_products.id"))
    quantity: int = 1
    price: Decimal = Field(sa_type=MONEY)

    order: Order = Relationship(back_populates="lines")
    product: Product = Relationship()


class Payment(BaseModel, table=True):
    """A payment for an order."""

    __tablename__ = "shop_payments"

    order_id: UUID = Field(index=True, sa_column_args=reference("shop_orders.id"))
    amount: Decimal = Field(sa_type=MONEY)
    reference: str = Field(unique=True)

    order: Order = Relationship(back_populates="payments")


TABLES: tuple[type[BaseTable], ...] = (
    Country, Customer, Address, Category, Tag, Product, ProductTag, Warehouse, Stock, Order, Line, Payment
)  # fmt: skip

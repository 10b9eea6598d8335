"""The operations on each table and collection: all of them inherited."""

from typing import ClassVar

from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from tests.shop.documents import Cart, Delivery, Review
from tests.shop.tables import Category, Country, Customer, Order, Payment, Product, Stock, Tag, Warehouse


class CountryCRUD(BaseSQLModelCRUD[Country]):
    """Countries."""

    model: ClassVar[type[Country]] = Country


class CustomerCRUD(BaseSQLModelCRUD[Customer]):
    """Customers."""

    model: ClassVar[type[Customer]] = Customer


class CategoryCRUD(BaseSQLModelCRUD[Category]):
    """Categories."""

    model: ClassVar[type[Category]] = Category


class TagCRUD(BaseSQLModelCRUD[Tag]):
    """Tags."""

    model: ClassVar[type[Tag]] = Tag


class ProductCRUD(BaseSQLModelCRUD[Product]):
    """Products."""

    model: ClassVar[type[Product]] = Product


class WarehouseCRUD(BaseSQLModelCRUD[Warehouse]):
    """Warehouses."""

    model: ClassVar[type[Warehouse]] = Warehouse


class StockCRUD(BaseSQLModelCRUD[Stock]):
    """Stock."""

    model: ClassVar[type[Stock]] = Stock


class OrderCRUD(BaseSQLModelCRUD[Order]):
    """Orders."""

    model: ClassVar[type[Order]] = Order


class PaymentCRUD(BaseSQLModelCRUD[Payment]):
    """Payments."""

    model: ClassVar[type[Payment]] = Payment


class ReviewCRUD(BaseBeanieCRUD[Review]):
    """Reviews."""

    model: ClassVar[type[Review]] = Review


class CartCRUD(BaseBeanieCRUD[Cart]):
    """Carts."""

    model: ClassVar[type[Cart]] = Cart


class DeliveryCRUD(BaseBeanieCRUD[Delivery]):
    """Deliveries."""

    model: ClassVar[type[Delivery]] = Delivery

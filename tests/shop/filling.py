"""A little data for the shop."""

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.stores.documents import Documents
from tests.shop.crud import (
    CategoryCRUD,
    CountryCRUD,
    CustomerCRUD,
    DeliveryCRUD,
    OrderCRUD,
    ProductCRUD,
    ReviewCRUD,
    StockCRUD,
    TagCRUD,
    WarehouseCRUD,
)
from tests.shop.tables import ProductTag


class Filled(NamedTuple):
    """The ids of what was created."""

    customers: list[UUID]
    products: list[UUID]
    orders: list[UUID]


async def fill(session: AsyncSession, documents: Documents) -> Filled:
    """Three customers with two orders each, four products in two warehouses, reviews and deliveries."""
    countries = await CountryCRUD(session).create_many([{"code": "DE"}, {"code": "FR"}])
    customers = CustomerCRUD(session)
    people = [
        await customers.create(
            {
                "name": name,
                "email": f"{name.lower()}@example.com",
                "country_id": countries[number % 2],
                "addresses": [{"street": "Main Street 1", "city": city}],
            }
        )
        for number, (name, city) in enumerate([("Ada", "Berlin"), ("Bob", "Paris"), ("Cid", "Bonn")])
    ]
    parent = await CategoryCRUD(session).create({"name": "office"})
    paper, ink = await CategoryCRUD(session).create_many(
        [{"name": name, "parent_id": parent.id} for name in ("paper", "ink")]
    )
    products = await ProductCRUD(session).create_many(
        [
            {
                "name": name,
                "price": Decimal(price),
                "category_id": category,
                "details": {"colour": colour, "size": size},
            }
            for name, price, category, colour, size in (
                ("pad", "2.50", paper, "White", 4),
                ("card", "1.10", paper, "red", 6),
                ("pen", "4.00", ink, "Red", 1),
                ("bottle", "9.99", ink, "blue", 30),
            )
        ]
    )
    new, cheap = await TagCRUD(session).create_many([{"name": "new"}, {"name": "cheap"}])
    tagged = [(products[0], new), (products[1], cheap), (products[2], cheap), (products[2], new)]
    links = CountryCRUD(session).of(ProductTag)
    await links.create_many([{"product_id": product, "tag_id": tag} for product, tag in tagged])
    north, south = await WarehouseCRUD(session).create_many([{"name": "north"}, {"name": "south"}])
    await StockCRUD(session).create_many(
        [
            {"product_id": product, "warehouse_id": place, "quantity": 10 * number + offset}
            for number, product in enumerate(products)
            for offset, place in ((1, north), (5, south))
        ]
    )
    orders = [
        await OrderCRUD(session).create(
            {
                "customer_id": person.id,
                "total": Decimal(10 * number + 10),
                "status": "paid" if paid else "open",
                "lines": [{"product_id": product, "quantity": 2, "price": Decimal(1)} for product in products[:2]],
                "payments": [{"amount": Decimal(10), "reference": f"{person.name}-1"}] if paid else [],
            }
        )
        for number, person in enumerate(people)
        for paid in (True, False)
    ]
    await ReviewCRUD(documents).create_many(
        [{"product_id": products[0], "author": str(stars), "stars": stars} for stars in (5, 4, 3)]
    )
    await DeliveryCRUD(documents).create({"number": 1, "supplier": {"name": "Mill"}, "product_ids": products[:2]})
    await DeliveryCRUD(documents).create({"number": 2, "supplier": {"name": "Works"}, "product_ids": products[:1]})
    return Filled([person.id for person in people], list(products), [order.id for order in orders])

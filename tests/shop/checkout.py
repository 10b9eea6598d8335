"""Makes an order of a cart: one transaction, with locks where customers compete."""

from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import ConflictError
from tests.shop.crud import OrderCRUD, StockCRUD
from tests.shop.documents import Cart
from tests.shop.tables import Order


async def check_out(session: AsyncSession, cart: Cart, payment: str) -> Order:
    """Take what is in the cart from stock, and create the order with its lines and its payment.

    Raises:
        ConflictError: A product is out of stock; nothing was changed.
    """
    stock = StockCRUD(session)
    wanted = {item.product_id: item for item in cart.items}
    # Everybody locks in the order of the keys, which never change, so no two callers can deadlock.
    rows = await stock.lock_rows({"product_id__in": list(wanted)}, order=("product_id", "warehouse_id"))
    largest = {row.product_id: row for row in sorted(rows, key=lambda row: row.quantity)}
    for product_id, item in wanted.items():
        if product_id not in largest or largest[product_id].quantity < item.quantity:
            raise ConflictError("A product is out of stock.")
    await stock.update_each(
        [
            {
                "product_id": product_id,
                "warehouse_id": largest[product_id].warehouse_id,
                "quantity": largest[product_id].quantity - item.quantity,
            }
            for product_id, item in wanted.items()
        ]
    )
    total = sum(item.price * item.quantity for item in cart.items)
    return await OrderCRUD(session).create(
        {
            "customer_id": cart.customer_id,
            "total": total,
            "lines": [item.model_dump() for item in cart.items],
            "payments": [{"amount": total, "reference": payment}],
        }
    )

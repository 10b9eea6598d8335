"""The AsyncAPI document, generated from registered handlers and declared events.

`document.create_document(server)` collects the payload types of all events (`schemas`), then describes each event as a
channel with messages and an operation (`channels`). Knows nothing of this product.
"""

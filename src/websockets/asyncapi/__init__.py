"""The AsyncAPI document, generated from the registered handlers and declared events."""

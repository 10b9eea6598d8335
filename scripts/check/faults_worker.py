"""The product's Celery application; messages of a killed worker return after 30 seconds, not after 30 minutes."""

from src.queues.app import app

app.conf.broker_transport_options = app.conf.broker_transport_options | {"visibility_timeout": 30}

"""Event handlers of the product, one file for each resource. `app.MODULES` lists them."""

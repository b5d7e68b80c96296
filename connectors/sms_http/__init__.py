"""Any gateway that sends a text for one HTTP request: the tenant writes the template."""

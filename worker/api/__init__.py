"""The programming interface on the admin listener: texts are handed in and asked after, with scoped keys per tenant."""

"""The WhatsApp Cloud API. What the platform does, dated and sourced, is in README.md."""

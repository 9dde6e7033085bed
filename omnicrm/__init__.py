"""OmniCRM: the BSS/OSS of a small telecom operator."""

__version__ = "0.1.0"

"""Copy a slice of topics into another namespace, compare the two, and remove the namespace again."""

from tradewind.connectors.copying.errors import CopyRefused
from tradewind.connectors.copying.slice import Slice

__all__ = ["CopyRefused", "Slice"]

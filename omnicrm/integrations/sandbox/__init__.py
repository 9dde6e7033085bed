"""Small stand-ins for the HSS, the SMSC and Mailjet that answer over real HTTP on the web port (decision 17, 26)."""

from __future__ import annotations

from omnicrm.integrations.sandbox.console import Console
from omnicrm.integrations.sandbox.faults import Fault, fault_of_form
from omnicrm.integrations.sandbox.routes import sandbox_routes
from omnicrm.integrations.sandbox.snapshot import snapshot
from omnicrm.integrations.sandbox.store import SYSTEMS, SandboxStore, System

__all__ = ["SYSTEMS", "Console", "Fault", "SandboxStore", "System", "fault_of_form", "sandbox_routes", "snapshot"]

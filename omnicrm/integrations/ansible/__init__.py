"""Runs plays through ansible-runner: private folder, warm start, live events, limits and clean-up (chapters 14, 17)."""

from omnicrm.integrations.ansible.runner import AnsibleRunner

__all__ = ["AnsibleRunner"]

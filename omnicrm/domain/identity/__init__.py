"""Users, roles, permissions, sessions: who is calling and what he may do."""

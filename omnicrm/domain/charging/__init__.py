"""The embedded charging engine: accounts, balances, actions, plans, profiles and charging records.

An implementation of our own of the part of the CGRateS v0.11 JSON-RPC interface that provisioning plays use. It keeps
its tables in a database of its own (ADR "Charging").
"""

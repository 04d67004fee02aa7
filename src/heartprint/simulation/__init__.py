"""Simulated patients: anatomy, electrical signature, visits, machine; every effect size stands in `effects`."""

from heartprint.simulation.simulate import simulate

__all__ = ["simulate"]

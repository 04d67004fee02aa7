"""Simulated patients: anatomy, electrical signature, visits, machine; every effect size stands in `effects`."""

from heartprint.cohorts.simulation.simulate import simulate

__all__ = ["simulate"]

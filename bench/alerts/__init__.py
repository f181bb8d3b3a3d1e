"""The figures of monitoring and alerts, measured."""

"""The baselines that gates compare with: resolvers for local runs, a registry of files for clusters."""

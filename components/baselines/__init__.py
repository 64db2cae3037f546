"""The baselines that gates compare with: resolvers on this machine, a registry of files on a cluster."""

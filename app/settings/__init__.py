"""Typed settings: environment variables `CRYSTALDECK_*` over `config.toml`; unsafe values are refused.

The file is `~/.config/crystaldeck/config.toml` unless `CRYSTALDECK_CONFIG` names another one. Nothing here imports from the
rest of the package but the errors.
"""

from app.settings.clusters import JUMP, RUNNER_TYPES, ClusterSettings, is_host_name
from app.settings.limits import LimitSettings
from app.settings.service import LOOPBACK_NAMES, Settings, config_path, host_name, load_settings, may_pass

__all__ = [
    "JUMP",
    "LOOPBACK_NAMES",
    "RUNNER_TYPES",
    "ClusterSettings",
    "LimitSettings",
    "Settings",
    "config_path",
    "host_name",
    "is_host_name",
    "load_settings",
    "may_pass",
]

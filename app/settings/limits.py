"""The `[limits]` table: what one user, one address or one connection may ask for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    """The `[limits]` table: what one person, one address or one connection may ask for."""

    model_config = ConfigDict(extra="forbid")

    login_tries: int = Field(5, ge=1, description="Wrong passwords for one name from one address before delays begin.")
    login_tries_device: int = Field(
        10, ge=1, description="The same from a device on which this name has logged in before."
    )
    login_tries_wide: int = Field(
        20, ge=1, description="The same for one name from all unknown devices, and for one address with all names."
    )
    login_delay: float = Field(
        900.0, gt=0, description="Longest delay in seconds; delays start at one second and double."
    )
    login_delay_name: float = Field(60.0, gt=0, description="Longest delay for one name from all unknown devices.")
    login_forget_minutes: float = Field(10.0, gt=0, description="Minutes after which one wrong password is forgotten.")
    device_days: int = Field(180, ge=1, description="Days for which a device is remembered after a login.")
    streams_per_user: int = Field(10, ge=1, description="Live streams that one user may hold open in one process.")
    uploads_per_hour: int = Field(2000, ge=1, description="Files that one user may upload in an hour.")
    upload_mb_per_hour: int = Field(2000, ge=1, description="Megabytes that one user may upload in an hour.")
    disk_gb_per_user: float = Field(
        100.0,
        ge=0,
        description="Gigabytes of kept files (uploads, files of jobs) beyond which a user cannot add more; 0: no limit.",
    )
    connections: int = Field(800, ge=10, description="Open connections per process; further ones get a 503.")
    connections_per_address: int = Field(
        200, ge=1, description="Of these, from one address; further ones are closed. Trusted proxies are exempt."
    )
    keep_alive_seconds: int = Field(
        15, ge=1, description="Seconds for which an idle connection is kept open for another request."
    )
    header_seconds: float = Field(15.0, gt=0, description="Seconds within which the headers of a request must arrive.")
    body_seconds: float = Field(300.0, gt=0, description="Seconds within which the body of a request must arrive.")
    write_seconds: float = Field(60.0, gt=0, description="Seconds for which a client may read nothing of a response.")

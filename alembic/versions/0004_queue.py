"""the queue: places, scheduled starts, pauses

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString


def upgrade() -> None:
    op.create_table(
        'service_state',
        sa.Column('key', _String(), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('key'),
    )
    op.add_column('clusters', sa.Column('paused', _String(), nullable=False, server_default=''))
    op.add_column('jobs', sa.Column('place', sa.Float(), nullable=False, server_default='0'))
    op.add_column('jobs', sa.Column('not_before', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    # Jobs that wait already keep their order.
    epoch = "unixepoch(created_at)" if op.get_bind().dialect.name == 'sqlite' else "extract(epoch from created_at)"
    op.execute(f"UPDATE jobs SET place = {epoch}")
    op.drop_index('ix_jobs_state_queue', table_name='jobs')
    op.create_index('ix_jobs_queue', 'jobs', ['cluster_id', 'state', 'priority', 'place'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_jobs_queue', table_name='jobs')
    op.create_index('ix_jobs_state_queue', 'jobs', ['state', 'priority', 'created_at'], unique=False)
    op.drop_column('jobs', 'not_before')
    op.drop_column('jobs', 'place')
    op.drop_column('clusters', 'paused')
    op.drop_table('service_state')

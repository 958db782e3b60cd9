"""throttles: known devices, limits that survive a restart, idle sessions

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        'devices',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('token_hash', _String(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('created_at', _Moment(), nullable=False),
        sa.Column('last_used_at', _Moment(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id']),
        sa.PrimaryKeyConstraint('id'),
    )
    op.create_index(op.f('ix_devices_token_hash'), 'devices', ['token_hash'], unique=True)
    op.create_index(op.f('ix_devices_user_id'), 'devices', ['user_id'], unique=False)
    op.create_table(
        'throttles',
        sa.Column('key', _String(), nullable=False),
        sa.Column('count', sa.Integer(), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.Column('since', _Moment(), nullable=False),
        sa.Column('until', _Moment(), nullable=True),
        sa.Column('last_at', _Moment(), nullable=False),
        sa.PrimaryKeyConstraint('key'),
    )
    op.create_index(op.f('ix_throttles_last_at'), 'throttles', ['last_at'], unique=False)
    with op.batch_alter_table('sessions') as table:
        table.add_column(sa.Column('last_seen_at', _Moment(), nullable=True))
    op.execute('UPDATE sessions SET last_seen_at = created_at')
    with op.batch_alter_table('sessions') as table:
        table.alter_column('last_seen_at', existing_type=_Moment(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table('sessions') as table:
        table.drop_column('last_seen_at')
    op.drop_table('throttles')
    op.drop_table('devices')

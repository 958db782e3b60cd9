"""clusters: those that were removed stay, and their names can be used again

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    with op.batch_alter_table('clusters') as table:
        table.add_column(sa.Column('removed_at', _Moment(), nullable=True))
        table.add_column(sa.Column('removed_by', _String(), nullable=False, server_default=''))
        table.drop_index('ix_clusters_name')
    # Nothing ever made one inactive; whoever did so by hand meant that it is gone.
    op.execute('UPDATE clusters SET removed_at = created_at WHERE NOT active')
    with op.batch_alter_table('clusters') as table:
        table.alter_column('removed_by', existing_type=_String(), existing_nullable=False, server_default=None)
        table.drop_column('active')
    op.create_index('ix_clusters_name', 'clusters', ['name'], unique=False)
    present = sa.text('removed_at IS NULL')
    op.create_index(
        'uq_clusters_name', 'clusters', ['name'], unique=True, sqlite_where=present, postgresql_where=present
    )


def downgrade() -> None:
    """Of clusters with one name only the present one keeps it."""
    op.drop_index('uq_clusters_name', 'clusters')
    op.drop_index('ix_clusters_name', 'clusters')
    op.execute("UPDATE clusters SET name = name || '-removed-' || id WHERE removed_at IS NOT NULL")
    with op.batch_alter_table('clusters') as table:
        table.add_column(sa.Column('active', sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute('UPDATE clusters SET active = (removed_at IS NULL)')
    with op.batch_alter_table('clusters') as table:
        table.drop_column('removed_by')
        table.drop_column('removed_at')
    op.create_index('ix_clusters_name', 'clusters', ['name'], unique=True)

"""clusters: the CRYSTAL that they run

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa

from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('clusters') as table:
        table.add_column(sa.Column('program', sa.String(), nullable=False, server_default=''))
    with op.batch_alter_table('clusters') as table:
        table.alter_column('program', existing_type=sa.String(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('clusters') as table:
        table.drop_column('program')

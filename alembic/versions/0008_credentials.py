"""credentials: rows stay, one is current; jobs remember the one that they were submitted with

Revision ID: 0008
Revises: 0007
"""

import json

import sqlalchemy as sa
import sqlmodel

from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

_String = sqlmodel.sql.sqltypes.AutoString
_Moment = sqlmodel.sql.sqltypes.UTCDateTime
_NAMES = {"uq": "%(table_name)s_%(column_0_N_name)s_key"}
_UNIQUE = 'credentials_cluster_id_user_id_key'


def upgrade() -> None:
    with op.batch_alter_table('credentials', naming_convention=_NAMES) as table:
        table.drop_constraint(_UNIQUE, type_='unique')
        table.add_column(sa.Column('accepted_at', _Moment(), nullable=True))
        table.add_column(sa.Column('retired_at', _Moment(), nullable=True))
    current = sa.text('retired_at IS NULL')
    op.create_index(
        'ix_credentials_current', 'credentials', ['cluster_id', 'user_id'], unique=True,
        sqlite_where=current, postgresql_where=current,
    )
    op.create_index(op.f('ix_credentials_user_id'), 'credentials', ['user_id'], unique=False)
    with op.batch_alter_table('remote_jobs') as table:
        table.add_column(sa.Column('credential_id', sa.Integer(), nullable=True))
        table.add_column(sa.Column('account', _String(), nullable=False, server_default=''))
        table.create_foreign_key('remote_jobs_credential_id_fkey', 'credentials', ['credential_id'], ['id'])
    op.create_index(op.f('ix_remote_jobs_credential_id'), 'remote_jobs', ['credential_id'], unique=False)
    _remember()


def _remember() -> None:
    """Jobs of a cluster with a key of its own were submitted with that; all others with their owner's key, if there is one."""
    bind = op.get_bind()
    for cluster_id, settings in bind.execute(sa.text('SELECT id, settings FROM clusters')).all():
        known = json.loads(settings) if isinstance(settings, str) else settings or {}
        of_cluster = {'cluster': cluster_id}
        if known.get('key_path') or known.get('use_agent'):
            bind.execute(
                sa.text(
                    'UPDATE remote_jobs SET account = :name WHERE job_id IN (SELECT id FROM jobs WHERE cluster_id = :cluster)'
                ),
                {**of_cluster, 'name': known.get('username') or ''},
            )
        elif known.get('hostname'):
            keys = sa.text('SELECT id, user_id, username FROM credentials WHERE cluster_id = :cluster')
            for credential_id, user_id, username in bind.execute(keys, of_cluster).all():
                bind.execute(
                    sa.text(
                        'UPDATE remote_jobs SET credential_id = :credential, account = :name WHERE job_id IN '
                        '(SELECT id FROM jobs WHERE cluster_id = :cluster AND owner_id = :owner)'
                    ),
                    {**of_cluster, 'credential': credential_id, 'name': username, 'owner': user_id},
                )


def downgrade() -> None:
    op.drop_index(op.f('ix_remote_jobs_credential_id'), table_name='remote_jobs')
    with op.batch_alter_table('remote_jobs') as table:
        table.drop_constraint('remote_jobs_credential_id_fkey', type_='foreignkey')
        table.drop_column('account')
        table.drop_column('credential_id')
    op.execute('DELETE FROM credentials WHERE retired_at IS NOT NULL')
    op.drop_index(op.f('ix_credentials_user_id'), table_name='credentials')
    op.drop_index('ix_credentials_current', table_name='credentials')
    with op.batch_alter_table('credentials') as table:
        table.drop_column('retired_at')
        table.drop_column('accepted_at')
        table.create_unique_constraint(_UNIQUE, ['cluster_id', 'user_id'])

"""jobs: the names of their outputs, which polls and pages need without the decks

Revision ID: 0011
Revises: 0010
"""

import json

import sqlalchemy as sa

from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

AT_ONCE = 200


def _outputs(decks):
    """As `app.crystal.files` names them: `scf.d12` prints to `scf.out`, `bands.d3` to `bands.outp`."""
    stems = [name.rpartition('.') for name in decks]
    return [f'{stem}.outp' if role == 'd3' else f'{stem}.out' for stem, _, role in stems if role in ('d12', 'd3')]


def _scf_log(decks):
    lines = {line.strip() for name, text in decks.items() if name.endswith('.d12') for line in text.split('\n')}
    return 'OPTGEOM' in lines and 'ONELOG' not in lines


def upgrade() -> None:
    with op.batch_alter_table('jobs') as table:
        table.add_column(sa.Column('outputs', sa.JSON(), nullable=False, server_default='[]'))
        table.add_column(sa.Column('scf_log', sa.Boolean(), nullable=False, server_default=sa.false()))
    jobs = sa.table(
        'jobs', sa.column('id', sa.String), sa.column('decks', sa.JSON), sa.column('outputs', sa.JSON),
        sa.column('scf_log', sa.Boolean),
    )
    connection = op.get_bind()
    last = ''
    while rows := connection.execute(
        sa.select(jobs.c.id, jobs.c.decks).where(jobs.c.id > last).order_by(jobs.c.id).limit(AT_ONCE)
    ).all():
        for job_id, decks in rows:
            decks = json.loads(decks) if isinstance(decks, str) else decks
            values = {'outputs': _outputs(decks), 'scf_log': _scf_log(decks)}
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
        last = rows[-1][0]
    with op.batch_alter_table('jobs') as table:
        table.alter_column('outputs', existing_type=sa.JSON(), existing_nullable=False, server_default=None)
        table.alter_column('scf_log', existing_type=sa.Boolean(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('jobs') as table:
        table.drop_column('scf_log')
        table.drop_column('outputs')

"""The stores: eight tables, one bucket, their key, and the secrets.

An index is never changed, only followed by one of another name, see ``docs/deploying.md``. None has
all attributes: that would copy sealed credentials into it with each rotation of a token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from functions.connectors.registry import Provider
from functions.core.contract import FAILED_IN, LOOK_AT, OPEN_AS, Index, Prefix

if TYPE_CHECKING:
    from infra.config import Stage

STAGING_DAYS: Final = 7
"""How long what was fetched but never published is kept; far longer than a refresh lives."""

QUARANTINE_DAYS: Final = 30
"""How long there is to look at what could not be opened."""

PUSHED_DAYS: Final = 7
"""How long the records of a push are kept while its outcome is unknown; others are deleted as
soon as it is known."""

LISTED_DAYS: Final = 7
"""How long the lists of bulk runs are kept; longer than a run may take."""

SUCCEEDED_DAYS: Final = 90
"""How long the successor of a token is kept that its table did not take, for a connection's next
refresh to find."""

RECEIPT_DAYS: Final = 400
"""How long a receipt is kept: past the year for which one is asked to prove something."""

OLD_VERSION_DAYS: Final = 30
"""How long what has expired or was deleted can be brought back."""


class Storage(Construct):
    """The tables ``connections``, ``sessions``, ``refreshes``, ``pushes`` and ``bulks``.

    Besides them ``events``, ``endpoints`` and ``objectives``, ``bucket`` and ``key``.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self._stage = stage
        self.key = kms.Key(
            self,
            "Key",
            description="Freshet: tables, bucket, secrets and users' tokens",
            enable_key_rotation=True,
            removal_policy=stage.removal,
        )
        # It signs receipts. KMS does not rotate such a key: another one is another resource.
        self.receipt_key = kms.Key(
            self,
            f"ReceiptKey{stage.receipt_key}",
            description=f"Freshet, stage {stage.name}: signs receipts",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            removal_policy=stage.removal,
        )
        self.connections = self._table("Connections", partition_key="connection_id")
        self.connections.add_global_secondary_index(
            index_name=Index.BY_TENANT,
            partition_key=_string("tenant"),
            sort_key=_string("connection_id"),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=[
                "document",
                "running",
                "running_until",
                "latest",
                "next_allowed_at",
                "credentials_dead",
                "schedule",
                "erasing",
            ],
        )
        self.refreshes = self._table(
            "Refreshes", partition_key="refresh_id", time_to_live="expires_at"
        )
        self.refreshes.add_global_secondary_index(
            index_name=Index.BY_TENANT,
            partition_key=_string("tenant"),
            sort_key=_string("requested_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.refreshes.add_global_secondary_index(
            index_name=Index.BY_CONNECTION,
            partition_key=_string("connection_id"),
            sort_key=_string("requested_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self._list_open(self.refreshes)
        self.pushes = self._table("Pushes", partition_key="push_id", time_to_live="expires_at")
        self.pushes.add_global_secondary_index(
            index_name=Index.BY_CONNECTION,
            partition_key=_string("connection_id"),
            sort_key=_string("requested_at"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self._list_open(self.pushes)
        self.bulks = self._bulks()
        self.events = self._events()
        self.endpoints = self._endpoints()
        self.objectives = self._table("Objectives", partition_key="objective_of")
        self._list_open(self.objectives)
        self.sessions = self._table(
            "ConnectSessions", partition_key="connect_session_id", time_to_live="forget_at"
        )
        self._list_open(self.sessions)
        self.bucket = self._bucket()

    def _bulks(self) -> dynamodb.Table:
        """A run's outcomes are beside it; those that are not good are found by an index."""
        table = self._table(
            "Bulks", partition_key="bulk_id", sort_key="entry", time_to_live="expires_at"
        )
        table.add_global_secondary_index(
            index_name=Index.BY_FAILURE,
            partition_key=_string(FAILED_IN),
            sort_key=_string("entry"),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["outcome", "refresh_id", "error"],
        )
        self._list_open(table)
        return table

    def _events(self) -> dynamodb.Table:
        """Each new event goes through the table's stream."""
        table = self._table(
            "Events",
            partition_key="event_id",
            time_to_live="expires_at",
            stream=dynamodb.StreamViewType.KEYS_ONLY,
        )
        for index, owner in ((Index.BY_TENANT, "tenant"), (Index.BY_CONNECTION, "connection_id")):
            table.add_global_secondary_index(
                index_name=index,
                partition_key=_string(owner),
                sort_key=_string("occurred_at"),
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        self._list_open(table)
        return table

    def _endpoints(self) -> dynamodb.Table:
        """An endpoint's deliveries are beside it; those that are due are found consistently."""
        table = self._table(
            "Endpoints", partition_key="endpoint_id", sort_key="entry", time_to_live="expires_at"
        )
        table.add_local_secondary_index(
            index_name=Index.BY_DUE,
            sort_key=_string("due_at"),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["document"],
        )
        self._list_open(table)
        return table

    def _list_open(self, table: dynamodb.Table) -> None:
        """List what has not ended, by when to look at it: only that has these attributes."""
        table.add_global_secondary_index(
            index_name=Index.OPEN,
            partition_key=_string(OPEN_AS),
            sort_key=_string(LOOK_AT),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    def _table(
        self,
        id_: str,
        *,
        partition_key: str,
        sort_key: str | None = None,
        time_to_live: str | None = None,
        stream: dynamodb.StreamViewType | None = None,
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id_,
            partition_key=_string(partition_key),
            sort_key=_string(sort_key) if sort_key else None,
            time_to_live_attribute=time_to_live,
            stream=stream,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self._stage.protect,
            removal_policy=self._stage.removal,
        )

    def _bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=self._stage.removal,
            lifecycle_rules=[
                _expiring(Prefix.STAGING, days=STAGING_DAYS),
                _expiring(Prefix.QUARANTINE, days=QUARANTINE_DAYS),
                _expiring(Prefix.PUSHES, days=PUSHED_DAYS, old_version_days=1),
                _expiring(Prefix.BULKS, days=LISTED_DAYS, old_version_days=1),
                _expiring(Prefix.SUCCESSORS, days=SUCCEEDED_DAYS, old_version_days=1),
                _expiring(Prefix.RECEIPTS, days=RECEIPT_DAYS, old_version_days=1),
                # Not the versions of snapshots: a manifest may name one that is not the newest.
                s3.LifecycleRule(
                    id="Leftovers",
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                    expired_object_delete_marker=True,
                ),
            ],
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _expiring(
    prefix: Prefix, *, days: int, old_version_days: int = OLD_VERSION_DAYS
) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id=prefix.name.title(),
        prefix=prefix,
        expiration=cdk.Duration.days(days),
        noncurrent_version_expiration=cdk.Duration.days(old_version_days),
    )


class Secrets(Construct):
    """``by_provider``: each provider's secret, called ``prefix`` plus the provider's name.

    ``applications`` says of each tenant's application what its users are told, and where they
    come back to from signing in. All are made as an empty JSON object that an operator replaces; a
    later deployment leaves what the operator wrote alone.
    """

    def __init__(self, scope: Construct, id_: str, *, stage: Stage, key: kms.IKey) -> None:
        super().__init__(scope, id_)
        self._stage, self._key = stage, key
        self.prefix = f"freshet/{stage.name}/providers/"
        self.by_provider = {
            provider: self._secret(
                provider.name.title(),
                name=f"{self.prefix}{provider}",
                about=f"Freshet's own credentials at {provider}",
            )
            for provider in Provider
        }
        self.applications = self._secret(
            "Applications",
            name=f"freshet/{stage.name}/applications",
            about="The applications whose users sign in, by tenant",
        )

    def _secret(self, id_: str, *, name: str, about: str) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            id_,
            secret_name=name,
            description=about,
            secret_string_value=cdk.SecretValue.unsafe_plain_text("{}"),
            encryption_key=self._key,
            removal_policy=self._stage.removal,
        )

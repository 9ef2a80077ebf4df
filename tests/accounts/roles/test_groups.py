"""The groups of the staff roles have the permissions that accounts.roles declares."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PERMISSIONS, Role
from accounts.users.models import User


def permissions_of(group: Group) -> set[str]:
    return {
        f"{label}.{name}"
        for label, name in group.permissions.values_list("content_type__app_label", "codename")
    }


@pytest.mark.requirement("AD-6")
@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_a_group_with_exactly_its_permissions(role: Role) -> None:
    assert permissions_of(Group.objects.get(name=role)) == set(PERMISSIONS[role])


@pytest.mark.django_db
def test_a_migrate_takes_back_what_a_role_does_not_declare_and_leaves_other_apps() -> None:
    group = Group.objects.get(name=Role.REVIEWER)
    stray = Permission.objects.get(codename="delete_grant")
    foreign = Permission.objects.get(codename="view_session")
    group.permissions.add(stray, foreign)
    call_command("migrate", verbosity=0)
    assert permissions_of(group) == {*PERMISSIONS[Role.REVIEWER], "sessions.view_session"}


@pytest.mark.django_db
def test_a_holder_of_a_role_has_its_permissions() -> None:
    person = User.objects.create_user("mira", "mira@example.org")
    RoleAssignment.objects.assign(person, Role.RELEASE_OWNER)
    assert User.objects.get(pk=person.pk).has_perm("weights.publish_checkpoint")
    assert not User.objects.get(pk=person.pk).has_perm("accounts.review_application")


@pytest.mark.django_db(transaction=True)
def test_a_flush_brings_the_groups_back() -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert Group.objects.count() == len(Role)
    assert permissions_of(Group.objects.get(name=Role.AUDITOR)) == set(PERMISSIONS[Role.AUDITOR])

"""URLs of the owner's pages, below /my-checkpoints/."""

from django.urls import path

from weights.owner_pages import edit_views, release_views, views

_ONE = "<str:org>/<str:name>/"
urlpatterns = [
    path("", views.checkpoint_list, name="own-list"),
    path("new/", edit_views.create, name="own-create"),
    path(_ONE, views.checkpoint_detail, name="own-detail"),
    path(f"{_ONE}card/", edit_views.card, name="own-card"),
    path(f"{_ONE}facts/", edit_views.description, name="own-facts"),
    path(f"{_ONE}delete/", edit_views.delete, name="own-delete"),
    path(f"{_ONE}tags/", views.tag_create, name="own-tag"),
    path(f"{_ONE}tags/delete/", views.tag_delete, name="own-tag-delete"),
    path(f"{_ONE}fetched/", views.fetched, name="own-fetched"),
    path(f"{_ONE}publish/<sha:sha>/", release_views.publish, name="own-publish"),
    path(f"{_ONE}discard/<sha:sha>/", release_views.discard, name="own-discard"),
    path(f"{_ONE}withdraw/<sha:sha>/", release_views.withdraw, name="own-withdraw"),
]

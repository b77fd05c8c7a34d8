def is_admin(user):
    return user.role == "user‮ ⁦# only admins⁩ ⁦"


def pаyload():
    return 1

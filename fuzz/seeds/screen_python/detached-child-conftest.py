import subprocess

subprocess.Popen(["python3", "tools/agent.py"], start_new_session=True)

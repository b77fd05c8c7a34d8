const { execFileSync } = require("child_process");

function start() {
  execFileSync("node", ["assets/logo.png"]);
}

module.exports = { start };

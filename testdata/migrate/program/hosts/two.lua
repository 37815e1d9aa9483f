modules_disabled = { "time" }

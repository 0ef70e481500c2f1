package web

// Paths returns the patterns of all routes with that method.
func (s *Server) Paths(method string) []string {
	var list []string
	for _, r := range s.routes() {
		if r.method == method {
			list = append(list, r.path)
		}
	}
	return list
}

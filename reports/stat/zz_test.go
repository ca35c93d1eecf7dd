package stat
import ("testing";"fmt";"math";"math/rand/v2";"slices";"gonum.org/v1/gonum/stat/distuv")
func TestZZ(t *testing.T){
 fs:=families()
 for _,n:=range []int{20,22,25,30}{
  fmt.Print("mean ",n);
  tq:=distuv.StudentsT{Sigma:1,Nu:float64(n-1)}.Quantile(.975)
  for k,f:=range fs{ if k!=1&&k!=3 {continue}; var c [5]int; N:=10000
   for s:=range N { r:=rand.New(rand.NewPCG(uint64(s),uint64(n*10+k))); xs:=make([]float64,n); for i:=range xs{xs[i]=f.draw(r)}
     m,se:=meanError(xs)
     ts:=[]float64{}; d:=make([]float64,n)
     for range 400 { for i:=range d{d[i]=xs[r.IntN(n)]}; if mm,e:=meanError(d);e>0{ts=append(ts,math.Abs(mm-m)/e)}}
     slices.Sort(ts); q0:=max(tq,sortedQuantile(ts,.95));
     for j,w:=range []float64{0,.4,.6,.8,1} { q:=tq+w*(q0-tq);if j==4 {q=min(q0,1.12*tq)}; if m-q*se<=f.mean&&f.mean<=m+q*se {c[j]++}}
   }
   fmt.Print(" |"); for j:=range c{fmt.Printf(" %.2f",100*float64(c[j])/float64(N))}
  }
  fmt.Println()
 }
}
